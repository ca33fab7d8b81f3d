// @ts-check
/** Several recordings at once: shift chooses a stretch; what may be done with them appears. */
import { ask, need, notice, t } from "./asking.js";

const form = need("chosen", HTMLFormElement);
const bulk = need("bulk", HTMLElement);
const count = need("count", HTMLElement);
/** @type {HTMLInputElement | null} */
let last = null;

/** @returns {HTMLInputElement[]} */
const boxes = () => /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll('input[name="id"]')]);

function show() {
  const chosen = boxes().filter((box) => box.checked);
  bulk.hidden = chosen.length === 0;
  count.textContent = t("js.chosen", chosen.length);
  const all = document.getElementById("all");
  if (all instanceof HTMLInputElement) {
    all.checked = chosen.length > 0 && chosen.length === boxes().length;
    all.indeterminate = chosen.length > 0 && !all.checked;
  }
}

form.addEventListener("click", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement) || box.type !== "checkbox") return;
  if (box.id === "all") {
    for (const each of boxes()) each.checked = box.checked;
  } else {
    const all = boxes();
    if (event.shiftKey && last && all.includes(last)) {
      const [first, end] = [all.indexOf(last), all.indexOf(box)].sort((one, other) => one - other);
      for (const each of all.slice(first, (end ?? 0) + 1)) each.checked = box.checked;
    }
    last = box;
  }
  show();
});

document.getElementById("retry")?.addEventListener("click", async () => {
  const recordings = boxes().filter((box) => box.checked).map((box) => Number(box.value));
  if (await ask("POST", "/api/v1/retry", { recordings })) notice(t("js.done"));
  document.dispatchEvent(new Event("changed"));
});
addEventListener("pageshow", show);
show();
