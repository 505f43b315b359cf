import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.ofdrw.reader.ContentExtractor;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.verify.OFDValidator;
import org.ofdrw.sign.verify.container.SESV4ValidateContainer;

/** Opens an OFD with ofdrw, prints its text and signatures; checks each file's digest, with `seal` the V4 seal too. */
public class OfdrwPeer {
    public static void main(String[] arguments) throws Exception {
        try (OFDReader reader = new OFDReader(Path.of(arguments[0]))) {
            for (String text : new ContentExtractor(reader).extractAll()) {
                System.out.println("text " + text);
            }
        }
        try (OFDReader reader = new OFDReader(Path.of(arguments[0])); OFDValidator validator = new OFDValidator(reader)) {
            validator.setValidator((type, algorithm, signed, value) -> {
                byte[] digest = MessageDigest.getInstance("SHA-256").digest(signed);
                System.out.println("signature " + type + " " + HexFormat.of().formatHex(digest) + " " + value.length);
                if (arguments.length > 1) {
                    new SESV4ValidateContainer().validate(type, algorithm, signed, value);
                    System.out.println("seal valid");
                }
            });
            validator.exeValidate();
            System.out.println("digests valid");
        }
    }
}
