// @ts-check
/**
 * The microphone: every slice is kept in the browser, then sent; both hold it until the whole is in its inbox.
 * What was not brought to its end (a closed lid, a crash) is offered again by the next visit.
 */
import { clock, need, t } from "./asking.js";
import { allKept, drop, keep, keepSlice, whole } from "./slices.js";
import { Forgotten, begin, forget, offset, persist, send } from "./tus.js";
import { Line, batch, sum } from "./upload.js";

/** @typedef {import("./slices.js").Kept} Kept */

const SLICE_MS = 2000;
/** @type {Map<string, Blob[]>} the slices of recordings of this visit, which need not be read back */
const taken = new Map();
const record = need("record", HTMLButtonElement);
const stop = need("stop", HTMLButtonElement);
const recorded = need("recorded", HTMLElement);
const level = need("level", HTMLMeterElement);
const why = need("recorder-why", HTMLElement);

/**
 * Send what the browser has and the server has not; with the last of it the file goes into the inbox.
 * @param {Kept} kept
 * @param {AbortSignal} signal
 * @param {Line} [line]
 * @returns {Promise<string>} where it was put, "" while the recording goes on
 */
async function bring(kept, signal, line) {
  return persist(async () => {
    let at = 0;
    try {
      if (kept.address) at = await offset(kept.address);
    } catch (error) {
      if (!(error instanceof Forgotten)) throw error;
      kept.address = "";
    }
    if (!kept.address) {
      kept.address = await begin(kept.inbox, kept.name, null);
      await keep(kept);
    }
    const held = taken.get(kept.id);
    const all = held ? new Blob(held) : await whole(kept.id);
    if (all.size <= at && !kept.ended) return "";
    const sent = (/** @type {number} */ bytes) => line && (line.bar.value = (at + bytes) / all.size);
    return send(kept.address, at, all.slice(at), signal, sent, kept.ended ? all.size : undefined);
  }, () => line?.tell(t("js.interrupted")), signal);
}

/** @param {Kept} kept */
async function finish(kept) {
  const list = document.getElementById("uploading");
  if (!list) return;
  kept.ended = true;
  await keep(kept);
  const quit = new AbortController();
  const line = new Line(kept.name, kept.inbox, list, () => quit.abort());
  line.button.hidden = true;
  need("uploads", HTMLElement).hidden = false;
  batch.add(line);
  sum();
  try {
    const path = await bring(kept, quit.signal, line);
    await drop(kept.id);
    taken.delete(kept.id);
    line.arrived(path);
  } catch (error) {
    line.tell(error instanceof Error ? error.message : String(error), "bad");
    offer();
  }
}

// ---------------------------------------------------------------- recording

async function start() {
  const inbox = document.querySelector('select[name="inbox"]');
  if (!(inbox instanceof HTMLSelectElement)) return;
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false } });
  } catch {
    why.textContent = t("js.microphone_denied");
    return;
  }
  const isWebm = MediaRecorder.isTypeSupported("audio/webm;codecs=opus");
  const recorder = new MediaRecorder(stream, { mimeType: isWebm ? "audio/webm;codecs=opus" : "audio/mp4", audioBitsPerSecond: 48_000 });
  const began = new Date();
  const two = (/** @type {number} */ amount) => String(amount).padStart(2, "0");
  const day = `${began.getFullYear()}-${two(began.getMonth() + 1)}-${two(began.getDate())}`;
  const name = `${t("js.recording_name")} ${day} ${two(began.getHours())}.${two(began.getMinutes())}.${two(began.getSeconds())}`;
  /** @type {Kept} */
  const kept = { id: crypto.randomUUID(), name: `${name}.${isWebm ? "webm" : "m4a"}`, inbox: inbox.value, began: began.getTime(), address: "", ended: false };
  await keep(kept);
  /** @type {Blob[]} */
  const slices = [];
  taken.set(kept.id, slices);
  let keeping = Promise.resolve();
  let sending = false;
  const quit = new AbortController();
  recorder.addEventListener("dataavailable", (event) => {
    if (!event.data.size) return;
    const place = slices.push(event.data) - 1;
    keeping = keeping.then(() => keepSlice(kept.id, place, event.data));
    keeping.then(async () => {
      if (sending || kept.ended) return;
      sending = true;
      await bring(kept, quit.signal).catch(() => {});
      sending = false;
    });
  });
  const ticking = showLevel(stream, began.getTime());
  const lock = navigator.wakeLock?.request("screen").catch(() => null);
  recorder.addEventListener("stop", async () => {
    clearInterval(ticking);
    lock?.then((each) => each?.release());
    for (const track of stream.getTracks()) track.stop();
    await keeping;
    quit.abort();
    while (sending) await new Promise((done) => setTimeout(done, 50));
    [record.hidden, stop.hidden, recorded.hidden, level.hidden] = [false, true, true, true];
    await finish(kept);
  });
  for (const track of stream.getTracks()) track.addEventListener("ended", () => recorder.state !== "inactive" && recorder.stop());
  recorder.start(SLICE_MS);
  [record.hidden, stop.hidden, recorded.hidden, level.hidden] = [true, false, false, false];
  stop.onclick = () => recorder.stop();
  stop.focus();
}

/**
 * @param {MediaStream} stream
 * @param {number} began
 */
function showLevel(stream, began) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    level.value = Math.min(1, 4 * Math.sqrt(samples.reduce((all, each) => all + each * each, 0) / samples.length));
    recorded.textContent = clock(Date.now() - began);
    if (stream.getAudioTracks().every((track) => track.readyState === "ended")) context.close();
  }, 200);
}

// ---------------------------------------------------------------- what was not brought to its end

async function offer() {
  const list = need("kept", HTMLElement);
  const rows = await Promise.all(
    (await allKept()).map(async (kept) => {
      const item = document.createElement("li");
      const told = document.createElement("span");
      const { size } = await whole(kept.id);
      told.textContent = t("js.kept", kept.name, `${Math.max(1, Math.round(size / 1000))} kB`);
      const go = document.createElement("button");
      const discard = document.createElement("button");
      for (const [button, text] of /** @type {[HTMLButtonElement, string][]} */ ([[go, "js.send"], [discard, "js.discard"]])) {
        button.type = "button";
        button.textContent = t(text);
      }
      go.addEventListener("click", () => (item.remove(), finish(kept)));
      discard.addEventListener("click", async () => {
        item.remove();
        if (kept.address) await forget(kept.address).catch(() => {});
        await drop(kept.id);
      });
      item.append(told, go, discard);
      return item;
    }),
  );
  list.replaceChildren(...rows);
}

if (!window.isSecureContext) why.textContent = t("js.microphone_http");
else if (!navigator.mediaDevices || !window.MediaRecorder) why.textContent = t("js.microphone_none");
else {
  record.disabled = false;
  record.addEventListener("click", start);
}
offer().catch(() => {});
