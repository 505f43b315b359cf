// Everything works without this file; it saves steps for those who have it.
import { createAll, ErrorSummary, SkipLink, Button, CharacterCount } from "govuk-frontend";
import "htmx.org";
import "./camera.js";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
for (const component of [ErrorSummary, SkipLink, Button, CharacterCount]) {
  createAll(component);
}

// "/" goes to the search, as on most sites that people work with all day.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
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
