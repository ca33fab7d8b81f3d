// @ts-check
/** What every page can do: log out, press buttons that ask the interface, tell what came of it. */
import { ask, notice, t } from "./asking.js";
import { dropAll } from "./drafts.js";

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  if (!button) return;
  if (button.dataset.logOut !== undefined) {
    dropAll();
    await ask("DELETE", "/api/v1/session");
    location.assign("/login");
  } else if (button.dataset.post) {
    if (button.dataset.sure && !confirm(button.dataset.sure)) return;
    button.disabled = true;
    try {
      if (await ask("POST", button.dataset.post)) notice(t("js.done"));
    } finally {
      button.disabled = false;
    }
    document.dispatchEvent(new Event("changed"));
  }
});

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field instanceof HTMLElement && field.dataset.submit !== undefined) field.closest("form")?.requestSubmit();
});

// Empty fields stay out of the address.
document.addEventListener("formdata", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method !== "get") return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});
