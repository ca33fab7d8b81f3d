// @ts-check
/** Forgetting a text for good: what goes, what stays, until when backups hold it; asked before, told after. */
import { ask, isChinese, need, t } from "./asking.js";
import { make } from "./making.js";

/** @typedef {{removed: string[], kept: string[], problem: string, problem_zh: string, backups: number, backups_until: string | null}} Forgotten */

const dialog = need("forgetting", HTMLDialogElement);
const told = need("forgetting-told", HTMLElement);
const held = need("held", HTMLElement);
const sure = need("forget-sure", HTMLButtonElement);
const leave = need("forget-leave", HTMLButtonElement);
const address = `/api/v1/recordings/${need("player", HTMLElement).dataset.recording}/transcript`;

/** @param {number} backups @param {string | null} until a stamp */
function sayHeld(backups, until) {
  if (!backups) return t("js.held_none");
  if (!until) return t("js.held_ever", backups);
  return t("js.held_until", backups, new Date(until).toLocaleDateString(isChinese ? "zh-CN" : "en-GB"));
}

/** @param {Forgotten} done */
function tell(done) {
  const said = [t("js.forgotten")];
  if (done.removed.length) said.push(t("js.forgotten_files", done.removed.join(isChinese ? "、" : ", ")));
  if (done.kept.length) said.push(t("js.forgotten_kept", done.kept.join(isChinese ? "、" : ", ")));
  if (done.problem) said.push(t("js.forgotten_later", isChinese ? done.problem_zh : done.problem));
  said.push(sayHeld(done.backups, done.backups_until));
  told.replaceChildren(...said.map((line) => make("p", "", line)));
  sure.hidden = true;
  leave.textContent = t("js.close");
  leave.focus();
  dialog.addEventListener("close", () => location.reload());
}

need("forget", HTMLButtonElement).addEventListener("click", async () => {
  dialog.showModal();
  const response = await fetch(`${address}/backups`).catch(() => null);
  const found = response?.ok ? await response.json() : null;
  held.textContent = found ? sayHeld(found.backups, found.until) : t("js.held_unknown");
});
leave.addEventListener("click", () => dialog.close());
sure.addEventListener("click", async () => {
  sure.disabled = true;
  /** @type {Forgotten | null} */
  const done = await ask("DELETE", address);
  if (done) tell(done);
  else dialog.close(); // the notice says why
  sure.disabled = false;
});
