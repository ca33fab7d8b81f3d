// @ts-check
/** Sends the token; `/login#token=...` logs in by itself, and the token leaves the address at once. */
import { need, refusal, t } from "./asking.js";

const form = need("enter", HTMLFormElement);
const field = need("token", HTMLInputElement);
const wrong = need("wrong", HTMLElement);

/** @param {string} token */
async function enter(token) {
  wrong.hidden = true;
  const button = form.querySelector("button");
  if (button) button.disabled = true;
  try {
    const response = await fetch("/api/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (response.ok) {
      location.replace(form.dataset.next ?? "/");
      return;
    }
    wrong.textContent = await refusal(response);
  } catch {
    wrong.textContent = t("js.offline");
  } finally {
    if (button) button.disabled = false;
  }
  wrong.hidden = false;
  field.select();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(field.value.trim());
});

function enterByLink() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  history.replaceState(null, "", location.pathname + location.search);
  enter(given);
}
addEventListener("hashchange", enterByLink);
enterByLink();
