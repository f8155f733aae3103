/* The builder of a segment: Alt and an arrow moves the condition or group that holds the focus; what is not saved is said. */
(function () {
  "use strict";
  var ways = { ArrowUp: "up", ArrowDown: "down" };
  document.addEventListener("keydown", function (event) {
    var way = event.altKey && ways[event.key];
    var node = way && event.target.closest("[data-mx-node]");
    var button = node && document.getElementById(way + "-" + node.dataset.mxNode);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
  /* Enter in the name renames; elsewhere it counts. */
  document.addEventListener("keydown", function (event) {
    var box = event.key === "Enter" && event.target.closest(".mx-rename details");
    if (!box || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    box.querySelector("button").click();
  });
  /* "Saved Today 09:00" does not stand beside a rule that was changed since. */
  function unsaved() {
    var said = document.querySelector("[data-mx-saved]");
    if (said) said.textContent = said.dataset.mxSaved;
  }
  document.addEventListener("input", function (event) {
    if (event.target.form && event.target.form.id === "segment-form") unsaved();
  });
  document.addEventListener("htmx:after:swap", function () {
    if (document.querySelector("#builder[hx-trigger]")) unsaved();
  });
  /* The pencil opens the field with the name in it, ready to be typed over. */
  document.addEventListener("toggle", function (event) {
    if (event.target.matches(".mx-rename details[open]")) event.target.querySelector("input").select();
  }, true);
})();
