/* The builder of a segment by keys: Alt and an arrow moves the condition or group that holds the focus. */
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
})();
