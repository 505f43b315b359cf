// What a page shows of somebody goes when nobody is at it: after a while without a key or a click, and when it is left.
// Without scripts the page itself asks for the next one after that while.

const LAST_S = 30;
const shown = document.querySelector("[data-wipes-after]");

function prepare(said) {
  const whileMs = Number(shown.dataset.wipesAfter) * 1000;
  const [left, told] = ["left", "told"].map((name) => said.querySelector(`[data-wipes-${name}]`));
  let until = Date.now() + whileMs;

  function leave() {
    shown.replaceChildren();
    // The next page takes this one's place in the history: there is nothing to go back to.
    location.replace(shown.dataset.wipesTo);
  }

  function tell() {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    if (seconds <= 0) {
      leave();
      return;
    }
    const text = said.dataset.wipesSaid.replace("%s", seconds);
    // It is told once to those who listen, and counted for those who look.
    if (seconds > LAST_S) {
      told.textContent = "";
    } else if (!told.textContent) {
      told.textContent = text;
    }
    left.textContent = text;
    left.hidden = seconds > LAST_S;
  }

  function prolong() {
    // A computer that slept wakes up too late to go on.
    if (Date.now() < until) {
      until = Date.now() + whileMs;
    }
    tell();
  }

  for (const name of ["keydown", "pointerdown"]) {
    document.addEventListener(name, prolong);
  }
  document.addEventListener("visibilitychange", tell);
  setInterval(tell, 1000);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-wipes-now]")) {
      event.preventDefault();
      leave();
    }
  });
  // A browser may keep a page that was left, and bring it back as it was.
  window.addEventListener("pagehide", () => shown.replaceChildren());
  window.addEventListener("pageshow", (event) => event.persisted && leave());
}

if (shown) {
  prepare(document.querySelector("[data-wipes-said]"));
}
