// @ts-check
/**
 * What the player plays, and the picture of it: a copy that every browser seeks exactly. While it is made the
 * recording's own file plays, and that is said: in some formats its times are not exact.
 */
import { clock, need, t } from "./asking.js";
import { onChange } from "./events.js";

const audio = need("audio", HTMLAudioElement);
const told = need("copy", HTMLElement);
const unplayable = need("unplayable", HTMLElement);
const player = need("player", HTMLElement);
const address = `/api/v1/recordings/${player.dataset.recording}`;
const BAR_PX = 3;
const MOST_BARS = 2000;

let isCopy = false;

/** Play the copy, from where the other is by now. */
function take() {
  if (isCopy) return;
  isCopy = true;
  const at_s = audio.currentTime;
  const wasPlaying = !audio.paused;
  audio.src = `${address}/playback.flac`;
  unplayable.hidden = told.hidden = true;
  if (at_s > 0) audio.currentTime = at_s;
  if (wasPlaying) audio.play().catch(() => {});
  draw();
}

/** @param {string} text */
function takeOriginal(text) {
  told.textContent = text;
  told.hidden = text === "";
  if (!audio.src) audio.src = `${address}/audio`;
}

async function look() {
  try {
    const response = await fetch(`${address}/playback`);
    const { state } = response.ok ? await response.json() : { state: "failed" };
    if (state === "ready") take();
    else takeOriginal(t(state === "making" ? "js.copy_making" : "js.copy_failed"));
    return state === "making";
  } catch {
    takeOriginal("");
    return true;
  }
}

/** Ask for the copy; take it when it is there. */
export async function begin() {
  audio.addEventListener("error", () => {
    if (isCopy) {
      takeOriginal(t("js.copy_failed"));
      audio.src = `${address}/audio`;
      isCopy = false;
    } else unplayable.hidden = false;
  });
  audio.addEventListener("loadedmetadata", measure);
  if (!(await look())) return;
  let busy = false;
  const end = onChange(async () => {
    if (busy || isCopy) return;
    busy = true;
    if (!(await look())) end();
    busy = false;
  });
}

/** How long a recording is that nobody transcribed yet, or whose text is forgotten. */
function measure() {
  if (Number(player.dataset.duration) || !Number.isFinite(audio.duration)) return;
  const lasts_ms = Math.round(audio.duration * 1000);
  player.dataset.duration = String(lasts_ms);
  document.getElementById("map")?.setAttribute("viewBox", `0 0 ${lasts_ms} 100`);
  need("seek", HTMLInputElement).max = String(lasts_ms);
  need("lasts", HTMLElement).textContent = clock(lasts_ms);
  if (isCopy) draw();
}

/** Draw how loud it is: bars on both sides of the middle, the loudest from edge to edge. */
async function draw() {
  const map = document.getElementById("map");
  if (!map || !Number(player.dataset.duration)) return;
  const points = Math.min(MOST_BARS, Math.max(100, Math.round(map.clientWidth / BAR_PX)));
  const response = await fetch(`${address}/peaks?points=${points}`).catch(() => null);
  if (!response?.ok) return;
  /** @type {{peaks: number[], peak_s: number}} */
  const { peaks, peak_s } = await response.json();
  const loudest = Math.max(1, ...peaks);
  const lines = peaks.map((peak, place) => {
    const half = Math.max(1, 44 * Math.sqrt(peak / loudest));
    const x = Math.round((place + 0.5) * peak_s * 1000);
    return `M${x} ${(50 - half).toFixed(1)}V${(50 + half).toFixed(1)}`;
  });
  for (const wave of map.querySelectorAll("path")) wave.setAttribute("d", lines.join(""));
  map.classList.add("drawn");
}
