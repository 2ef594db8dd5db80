/** Reads members' codes with the camera where the browser can, and sends each one once. */

import { post } from "request";

const LOOK_EVERY = 200;
const SAME_CODE_RESTS = 5000;
const SHOWN = 20;

export async function start(section) {
  const part = (name) => section.querySelector(`[data-scan="${name}"]`);
  const form = part("form");
  const results = part("results");
  const seen = new Map();

  function tell(message, outcome) {
    const line = document.createElement("li");
    line.textContent = message;
    line.dataset.outcome = outcome;
    results.prepend(line);
    while (results.children.length > SHOWN) results.lastChild.remove();
    navigator.vibrate?.(outcome === "confirmed" ? 40 : [40, 60, 40]);
  }

  async function send(text) {
    try {
      const answer = await post(section.dataset.scanUrl, { text });
      tell(answer.message, answer.outcome);
    } catch (error) {
      seen.delete(text);
      tell(error.status ? error.message : section.dataset.noNetwork, "failed");
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = form.elements.text;
    const text = field.value.trim();
    if (!text) return;
    await send(text);
    field.value = "";
    field.focus();
  });
  section.dataset.started = "true";

  const formats = (await window.BarcodeDetector?.getSupportedFormats().catch(() => [])) ?? [];
  if (!formats.includes("qr_code") || !navigator.mediaDevices) return;
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  const video = part("video");
  part("camera").hidden = false;

  async function look() {
    const codes = await detector.detect(video).catch(() => []);
    for (const { rawValue } of codes) {
      const text = rawValue.trim();
      if (!text || Date.now() - (seen.get(text) ?? 0) < SAME_CODE_RESTS) continue;
      seen.set(text, Date.now());
      await send(text);
    }
    setTimeout(look, LOOK_EVERY);
  }

  part("begin").addEventListener("click", async () => {
    try {
      const wanted = { video: { facingMode: "environment" }, audio: false };
      video.srcObject = await navigator.mediaDevices.getUserMedia(wanted);
    } catch {
      return tell(section.dataset.noCamera, "failed");
    }
    video.hidden = false;
    part("begin").hidden = true;
    await video.play();
    look();
  });
}
