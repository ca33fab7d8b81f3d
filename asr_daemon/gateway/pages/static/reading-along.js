// @ts-check
/** The readers' page: captions as the server tells them; the browser connects anew, and misses none. */
import { need, t } from "./asking.js";
import { Screen } from "./captions.js";

const AGAIN_MS = 5000;
const screen = new Screen();
const standing = need("standing", HTMLElement);

/** @param {string} text @param {boolean} [isBad] */
function tell(text, isBad = false) {
  standing.textContent = text;
  standing.classList.toggle("bad", isBad);
}

let last = 0;

function listen() {
  const source = new EventSource(`${location.pathname}/events`);
  source.addEventListener("final", (event) => {
    const caption = JSON.parse(event.data);
    if (caption.number <= last) return; // a connection that was opened anew by hand
    last = caption.number;
    screen.final(caption);
  });
  source.addEventListener("interim", (event) => screen.interim(JSON.parse(event.data)));
  source.addEventListener("state", (event) => {
    const { mood } = JSON.parse(event.data);
    tell(mood === "live" || mood === "ending" ? "" : t(`js.live_${mood}`), mood === "waiting");
    if (mood === "over") source.close();
  });
  source.addEventListener("error", () => {
    tell(t("js.live_lost"), true);
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
  });
}

listen();
