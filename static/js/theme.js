/* Sets the theme before the first paint; loaded without defer for that reason. ?theme=dark wins over the last choice. */
(function () {
  "use strict";
  var asked = new URLSearchParams(location.search).get("theme");
  var saved = null;
  try { saved = localStorage.getItem("mailai-theme"); } catch (e) { /* private mode */ }
  var theme = asked || saved || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.setAttribute("data-bs-theme", theme === "dark" ? "dark" : "light");
})();
