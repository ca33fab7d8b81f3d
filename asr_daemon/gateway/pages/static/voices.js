// @ts-check
/** Forgetting a voice that an inbox knows. */
import { ask, isChinese, need, notice, t } from "./asking.js";

const table = need("known", HTMLElement);
table.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-forget]") : null;
  if (!(button instanceof HTMLButtonElement) || !confirm(button.dataset.sure)) return;
  button.disabled = true;
  const inbox = encodeURIComponent(table.dataset.inbox ?? "");
  const done = await ask("DELETE", `/api/v1/inboxes/${inbox}/voices/${encodeURIComponent(button.dataset.forget ?? "")}`);
  button.disabled = false;
  if (!done) return;
  button.closest("tr")?.remove();
  const left = done.samples.length ? ` ${t("js.voice_samples", done.samples.join(isChinese ? "、" : ", "))}` : "";
  notice(t("js.voice_forgotten", done.count) + left);
  if (left) need("samples-left", HTMLElement).append(left.trim());
});
