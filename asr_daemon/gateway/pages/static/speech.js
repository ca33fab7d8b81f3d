// @ts-check
/** The table of the speech that was found, made when somebody opens it: it is as long as the transcript. */
import { need } from "./asking.js";
import { make } from "./making.js";
import { passages } from "./transcript.js";

const details = need("speech", HTMLDetailsElement);

function fill() {
  if (!details.open) return;
  const seconds = (/** @type {number} */ ms) => (ms / 1000).toFixed(2);
  const rows = passages().map((each) => {
    const number = String(Number(each.element.dataset.index) + 1);
    const figures = [number, seconds(each.start_ms), seconds(each.end_ms), `${seconds(each.end_ms - each.start_ms)} s`];
    return make("tr", "", ...figures.map((figure) => make("td", "n", figure)));
  });
  details.querySelector("tbody")?.replaceChildren(...rows);
}
details.addEventListener("toggle", fill);
document.addEventListener("rewritten", fill);
