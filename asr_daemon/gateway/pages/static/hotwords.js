// @ts-check
/** The list is saved with the digest of the one that it was made from; somebody else's is not written over. */
import { ask, need, notice, refusal, t } from "./asking.js";

const form = document.getElementById("edit");
if (form instanceof HTMLFormElement) {
  const list = need("words", HTMLTextAreaElement);
  const wrong = need("wrong", HTMLElement);
  const save = document.getElementById("save");
  const before = list.value;
  let saving = false;
  const changed = () => list.value !== before;
  list.addEventListener("input", () => {
    if (save instanceof HTMLButtonElement) save.disabled = !changed();
  });
  addEventListener("beforeunload", (event) => {
    if (changed() && !saving) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.ctrlKey || !changed()) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.hidden = true;
    saving = true;
    try {
      const response = await fetch(`/api/v1/hotwords/${encodeURIComponent(form.dataset.inbox ?? "")}`, {
        method: "PUT",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ text: list.value, digest: form.dataset.digest }),
      });
      if (response.ok) return location.reload();
      wrong.textContent = await refusal(response);
    } catch {
      wrong.textContent = t("js.offline");
    }
    saving = false;
    wrong.hidden = false;
  });
  const suggested = document.getElementById("suggested");
  suggested?.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-add]") : null;
    if (!(button instanceof HTMLButtonElement)) return;
    if (changed()) return notice(t("js.save_first"));
    button.disabled = true;
    const inbox = encodeURIComponent(suggested.dataset.inbox ?? "");
    const lines = [button.dataset.add];
    if (await ask("POST", `/api/v1/inboxes/${inbox}/hotwords/lines`, { lines, digest: suggested.dataset.digest })) location.reload();
    else button.disabled = false;
  });
  document.getElementById("checked")?.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-line]") : null;
    if (!(button instanceof HTMLElement)) return;
    const lines = list.value.split("\n");
    const number = Number(button.dataset.line) - 1;
    const start = lines.slice(0, number).reduce((sum, line) => sum + line.length + 1, 0);
    list.focus();
    list.setSelectionRange(start, start + (lines[number]?.length ?? 0));
    list.scrollTop = Math.max(0, (list.scrollHeight * (number - 5)) / lines.length);
  });
}
