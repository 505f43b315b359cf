import com.fasterxml.jackson.databind.ObjectMapper;
import eu.europa.esig.dss.diagnostic.SignatureWrapper;
import eu.europa.esig.dss.enumerations.Indication;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.reports.Reports;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/**
 * Judges PDF files by EU DSS and by veraPDF, all in one run. Reads a list, a file to a line:
 * path, trust anchors (PEM), time (ISO 8601), revocation lists (DER, joined by commas, or nothing), between tabs.
 * Prints a JSON object for each. Nothing is fetched.
 */
public class DssPeer {
    public static void main(String[] arguments) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        ObjectMapper json = new ObjectMapper();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] parts = line.split("\t", -1);
            Map<String, Object> found = new LinkedHashMap<>();
            found.put("file", parts[0]);
            try {
                judge(parts, found);
            } catch (Exception error) {
                found.put("error", error.getClass().getSimpleName() + ": " + error.getMessage());
            }
            try {
                conform(parts[0], found);
            } catch (Exception error) {
                found.put("pdfa_error", error.getClass().getSimpleName() + ": " + error.getMessage());
            }
            System.out.println(json.writeValueAsString(found));
        }
    }

    private static void judge(String[] parts, Map<String, Object> found) throws Exception {
        CommonTrustedCertificateSource anchors = new CommonTrustedCertificateSource();
        try (InputStream pem = Files.newInputStream(Path.of(parts[1]))) {
            for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
                anchors.addCertificate(new CertificateToken((X509Certificate) certificate));
            }
        }
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setTrustedCertSources(anchors);
        verifier.setAIASource(null);
        List<InMemoryDocument> lists = new ArrayList<>();
        for (String path : parts[3].split(",")) {
            if (!path.isEmpty()) {
                lists.add(new InMemoryDocument(Files.readAllBytes(Path.of(path))));
            }
        }
        if (!lists.isEmpty()) {
            verifier.setCrlSource(new ExternalResourcesCRLSource(lists.toArray(new InMemoryDocument[0])));
        }
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(new FileDocument(parts[0]));
        validator.setCertificateVerifier(verifier);
        validator.setValidationTime(Date.from(Instant.parse(parts[2])));
        Reports reports = validator.validateDocument();
        SimpleReport simple = reports.getSimpleReport();
        List<Map<String, Object>> signatures = new ArrayList<>();
        for (String id : simple.getSignatureIdList()) {
            Map<String, Object> one = new LinkedHashMap<>();
            SignatureWrapper seen = reports.getDiagnosticData().getSignatureById(id);
            one.put("indication", String.valueOf(simple.getIndication(id)));
            one.put("sub_indication", simple.getSubIndication(id) == null ? "" : simple.getSubIndication(id).name());
            one.put("level", String.valueOf(simple.getSignatureFormat(id)));
            one.put("docmdp", seen.getDocMDPPermissions() == null ? "" : seen.getDocMDPPermissions().name());
            one.put("undefined_changes", seen.getPDFRevision() == null ? 0 : seen.getPDFRevision().getPdfUndefinedChanges().size());
            List<String> errors = new ArrayList<>();
            simple.getAdESValidationErrors(id).forEach(message -> errors.add(message.getKey()));
            one.put("errors", errors);
            signatures.add(one);
        }
        found.put("signatures", signatures);
    }

    private static void conform(String path, Map<String, Object> found) throws Exception {
        try (PDFAParser parser = Foundries.defaultInstance().createParser(new ByteArrayInputStream(Files.readAllBytes(Path.of(path))));
                var validator = Foundries.defaultInstance().createValidator(parser.getFlavour(), false)) {
            ValidationResult result = validator.validate(parser);
            found.put("flavour", parser.getFlavour().toString());
            found.put("conforms", result.isCompliant());
            TreeSet<String> rules = new TreeSet<>();
            for (TestAssertion assertion : result.getTestAssertions()) {
                rules.add(assertion.getRuleId().getClause() + "-" + assertion.getRuleId().getTestNumber() + " " + assertion.getMessage());
            }
            found.put("faults", rules);
        }
    }
}
