// Asks for the live parts of a page every few seconds, while somebody looks at it.
"use strict";
(() => {
  const main = document.querySelector("main");
  setInterval(() => {
    if (document.visibilityState === "visible") htmx.trigger(document.body, "look");
  }, Number(main.dataset.every || 3) * 1000);
  const stale = (is) => () => main.classList.toggle("stale", is);
  document.body.addEventListener("htmx:responseError", stale(true));
  document.body.addEventListener("htmx:sendError", stale(true));
  document.body.addEventListener("htmx:afterSwap", stale(false));
})();
