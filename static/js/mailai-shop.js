/* MailAI on the pages of a shop. Nothing is stored or sent before mailai("consent", true).
   <script src="https://…/api/v1/mailai.js" data-key="SITE KEY" async></script>
   mailai("consent", true | false), mailai("identify", userId), mailai("view" | "favourite" | "cart" | "uncart", itemId, {price, quantity}),
   mailai("search"), mailai("purchase", orderId, [{item, quantity, price}]) */
(function () {
  "use strict";
  var STORE = "mailai", WAIT = 1000, MOST = 50;
  var script = document.currentScript || document.querySelector("script[data-key][src*='/api/v1/mailai.js']");
  if (!script) return;
  var address = new URL("events?key=" + encodeURIComponent(script.dataset.key), script.src).href;
  // Who tells the browser not to be followed is not followed, whatever a banner says.
  var refuses = navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";
  var me = refuses ? null : read(), queue = [], timer = 0;

  function read() {
    try { return JSON.parse(localStorage.getItem(STORE)); } catch (error) { return null; }
  }
  function write() {
    try {
      if (me) localStorage.setItem(STORE, JSON.stringify(me)); else localStorage.removeItem(STORE);
    } catch (error) { /* without storage the visitor is new on every page */ }
  }
  function random() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), function (byte) {
      return byte.toString(16).padStart(2, "0");
    }).join("");
  }
  function consent(given) {
    if (given && !refuses) {
      me = me || {visitor: random()};
    } else {
      me = null;
      queue = [];
    }
    write();
  }
  function identify(user) {
    if (!me) return;
    me.user = String(user || "");
    write();
  }
  function note(kind, item, more) {
    if (!me || refuses) return;
    var event = {event: kind, timestamp: new Date().toISOString(), visitor_id: me.visitor, key: random()};
    if (me.user) event.user_id = me.user;
    if (item) event.item_id = String(item);
    Object.keys(more || {}).forEach(function (name) {
      if (more[name] !== undefined) event[name] = more[name];
    });
    queue.push(event);
    if (!timer) timer = setTimeout(send, WAIT);
  }
  function purchase(order, lines) {
    (lines || []).forEach(function (line, place) {
      note("purchase", line.item, {
        order_id: String(order), quantity: line.quantity, price: line.price, currency: line.currency,
        // The page of thanks may be loaded again: the same line is the same event.
        key: "order/" + order + "/" + place + "/" + line.item
      });
    });
  }
  function send() {
    timer = 0;
    var batch = queue.splice(0, MOST);
    if (!batch.length) return;
    // Plain text is sent without asking the server first.
    fetch(address, {method: "POST", body: JSON.stringify({events: batch}), keepalive: true, credentials: "omit",
      headers: {"Content-Type": "text/plain"}}).then(function (answer) {
      if (answer.status === 429 || answer.status >= 500) again(batch);
    }, function () { again(batch); });
    if (queue.length) timer = setTimeout(send, WAIT);
  }
  // Every event carries its key, so sending twice counts once.
  function again(batch) {
    if (me && queue.length < MOST) queue = batch.concat(queue);
    if (!timer) timer = setTimeout(send, 30 * WAIT);
  }
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState !== "hidden") return;
    while (me && queue.length) {
      if (!navigator.sendBeacon(address, JSON.stringify({events: queue.slice(0, MOST)}))) return;
      queue.splice(0, MOST);
    }
  });

  var doors = {consent: consent, identify: identify, purchase: purchase};
  var earlier = (window.mailai && window.mailai.q) || [];
  window.mailai = function (what) {
    var rest = Array.prototype.slice.call(arguments, 1);
    if (doors[what]) doors[what].apply(null, rest); else note(what, rest[0], rest[1]);
  };
  earlier.forEach(function (call) { window.mailai.apply(null, call); });
})();
