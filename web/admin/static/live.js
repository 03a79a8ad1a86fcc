// Asks for the live parts of a page every few seconds, while somebody looks at it.
"use strict";
const every = Number(document.querySelector("main").dataset.every || 3);
setInterval(() => {
  if (document.visibilityState === "visible") htmx.trigger(document.body, "look");
}, every * 1000);
