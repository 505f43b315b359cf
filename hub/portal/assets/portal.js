// Everything works without this file; it saves steps for those who have it.
import { createAll, ErrorSummary, SkipLink, Button, CharacterCount } from "govuk-frontend";
import "htmx.org";
import "./camera.js";
import "./wiping.js";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
for (const component of [ErrorSummary, SkipLink, Button, CharacterCount]) {
  createAll(component);
}

// A key that something names acts on it: a field gets the focus, all else is clicked. Signs act where nobody types.
document.addEventListener("keydown", (event) => {
  const typing = event.key.length === 1 && event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) {
    return;
  }
  const named = document.querySelector(`[aria-keyshortcuts="${CSS.escape(event.key)}"]`);
  if (named) {
    event.preventDefault();
    if (named.matches("input")) {
      named.focus();
      named.select();
    } else {
      named.click();
    }
  }
});

// A list of filters sends itself; without scripts it has a button.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-sends-itself]");
  if (form) {
    form.requestSubmit();
  }
});

// A button that asks before it acts names what it would do.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button && button.dataset.ask && !window.confirm(button.dataset.ask)) {
    event.preventDefault();
  }
});

// What is to be copied is beside its button.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (button) {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.setAttribute("data-copied", "");
  }
});
