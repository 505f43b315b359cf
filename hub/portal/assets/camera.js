// Reads a QR code with the camera where the browser can; everywhere else a photograph or the typed text does it.
// Pictures stay in the browser: what is sent is the text of the code, as if it had been pasted.

const EVERY_MS = 200;

async function able() {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices) {
    return false;
  }
  return (await window.BarcodeDetector.getSupportedFormats()).includes("qr_code");
}

function prepare(box) {
  const field = document.getElementById(box.dataset.scansInto);
  const [begin, end, said] = ["scan", "scan-end", "scan-said"].map((name) => box.querySelector(`[data-${name}]`));
  const video = box.querySelector("video");
  const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
  let stream = null;

  function stop() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
    video.hidden = end.hidden = true;
    begin.hidden = false;
  }

  async function look() {
    if (!stream) {
      return;
    }
    const [found] = await detector.detect(video).catch(() => []);
    if (found && stream) {
      stop();
      field.value = found.rawValue;
      field.form.requestSubmit();
      return;
    }
    setTimeout(look, EVERY_MS);
  }

  begin.addEventListener("click", async () => {
    said.textContent = "";
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      video.srcObject = stream;
      video.hidden = end.hidden = false;
      begin.hidden = true;
      end.focus();
      await video.play();
      look();
    } catch {
      stop();
      said.textContent = box.dataset.trouble;
    }
  });
  end.addEventListener("click", () => {
    stop();
    begin.focus();
  });
  window.addEventListener("pagehide", stop);
  box.hidden = false;
}

able()
  .then((can) => can && document.querySelectorAll("[data-scans-into]").forEach(prepare))
  .catch(() => {});
