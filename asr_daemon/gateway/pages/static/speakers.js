// @ts-check
/** Who speaks: named, remembered by voice, told apart anew; the text follows at once. */
import { isChinese, need, notice, refusal, t } from "./asking.js";
import { look } from "./history.js";
import { recording } from "./steps.js";
import { refresh } from "./transcript.js";

/** @typedef {{written: string[], edited: string[], problems: number}} Changed */

const list = need("who", HTMLElement);
const address = `/api/v1/recordings/${recording}/speakers`;
const naming = need("naming", HTMLDialogElement);
const name = need("naming-name", HTMLInputElement);
const remember = /** @type {HTMLInputElement} */ (need("naming-remember", HTMLElement).querySelector("input"));
const stored = need("naming-stored", HTMLElement);
const regrouping = need("regrouping", HTMLDialogElement);
let number = "";

/** @param {HTMLDialogElement} dialog @param {string} why */
function complain(dialog, why) {
  const wrong = dialog.querySelector(".wrong");
  if (!(wrong instanceof HTMLElement)) return;
  wrong.textContent = why;
  wrong.hidden = why === "";
}

/** @param {Changed} done */
function tell(done) {
  const names = (/** @type {string[]} */ each) => each.join(isChinese ? "、" : ", ");
  const said = [];
  if (done.written.length) said.push(t("js.files_written", names(done.written)));
  if (done.edited.length) said.push(t("js.files_edited", names(done.edited)));
  if (done.problems) said.push(t("js.files_later"));
  notice(said.join(" ") || t("js.done"));
}

/**
 * Ask for it, and show what is there then; what was refused is said in the dialog, which stays.
 * @param {HTMLDialogElement} dialog
 * @param {string} method
 * @param {string} path
 * @param {unknown} body
 */
async function change(dialog, method, path, body) {
  complain(dialog, "");
  const buttons = [...dialog.querySelectorAll("button")];
  for (const each of buttons) each.disabled = true;
  try {
    const response = await fetch(`${address}${path}`, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    if (!response.ok) return complain(dialog, await refusal(response));
    tell(await response.json());
    dialog.close();
    await refresh();
    await look();
  } catch {
    complain(dialog, t("js.offline"));
  } finally {
    for (const each of buttons) each.disabled = false;
  }
}

list.addEventListener("click", (event) => {
  const chip = event.target instanceof Element ? event.target.closest("button.speaker-chip") : null;
  if (!(chip instanceof HTMLElement)) return;
  number = chip.dataset.number ?? "";
  need("naming-title", HTMLElement).textContent = t("js.naming", chip.querySelector("b")?.textContent ?? "");
  name.value = chip.dataset.name ?? "";
  remember.checked = false;
  remember.disabled = chip.dataset.mayRemember === undefined;
  stored.textContent = t(remember.disabled ? "js.too_short" : "js.stored");
  complain(naming, "");
  naming.showModal();
});
naming.querySelector("form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  change(naming, "PUT", `/${number}`, { name: name.value, remember: remember.checked });
});
need("naming-leave", HTMLButtonElement).addEventListener("click", () => naming.close());

need("regroup", HTMLButtonElement).addEventListener("click", () => {
  complain(regrouping, "");
  regrouping.showModal();
});
regrouping.querySelector("form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  change(regrouping, "POST", "/regroup", { speakers: Number(need("regrouping-count", HTMLSelectElement).value) });
});
need("regrouping-leave", HTMLButtonElement).addEventListener("click", () => regrouping.close());
