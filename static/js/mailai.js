/* Behaviour of every page: small, no eval, no inline handlers, no style attributes. All words come from the page. */
(function () {
  "use strict";
  var $ = function (selector, root) { return (root || document).querySelector(selector); };
  var $$ = function (selector, root) { return Array.from((root || document).querySelectorAll(selector)); };
  var text = function (name) { return document.body.dataset["text" + name] || ""; };

  /* Widths and places go through CSSOM, because the content policy refuses style attributes. */
  function measure(root) {
    $$("[data-w]", root).forEach(function (e) { e.style.setProperty("--w", e.dataset.w + "%"); });
    $$("[data-x]", root).forEach(function (e) {
      e.style.setProperty("--x", e.dataset.x + "%");
      e.style.setProperty("--y", e.dataset.y + "%");
    });
  }

  /* A table that scrolls sideways must be reachable by keyboard. */
  function scrollers() {
    $$(".mx-scroll").forEach(function (e) {
      if (e.scrollWidth <= e.clientWidth) { e.removeAttribute("tabindex"); return; }
      e.tabIndex = 0;
      e.setAttribute("role", "region");
      if (!e.hasAttribute("aria-label")) e.setAttribute("aria-label", text("Scroll"));
    });
  }

  /* ---------- theme */
  function paintTheme() {
    var dark = document.documentElement.getAttribute("data-bs-theme") === "dark";
    $$("[data-mx-theme]").forEach(function (b) { b.setAttribute("aria-pressed", String(dark)); });
  }
  function switchTheme() {
    var next = document.documentElement.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    document.documentElement.setAttribute("data-bs-theme", next);
    try { localStorage.setItem("mailai-theme", next); } catch (e) { /* private mode */ }
    paintTheme();
    document.dispatchEvent(new CustomEvent("mx:theme"));
  }

  /* ---------- command palette: entries are in the page, hits come from the server */
  var palette = $("#mx-cmd");
  var searching = null, later = 0;
  function options() { return $$("li[role=option]", palette).filter(function (li) { return !li.hidden; }); }
  function choose(n) {
    var rows = options();
    var at = rows.length ? (n + rows.length) % rows.length : -1;
    $$("li[role=option]", palette).forEach(function (li) { li.setAttribute("aria-selected", "false"); });
    var input = $("input", palette);
    if (at < 0) { input.removeAttribute("aria-activedescendant"); return; }
    rows[at].setAttribute("aria-selected", "true");
    rows[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", rows[at].id);
  }
  function chosen() { return options().findIndex(function (li) { return li.getAttribute("aria-selected") === "true"; }); }
  function filter() {
    var words = $("input", palette).value.trim().toLowerCase();
    $$("li[data-hit]", palette).forEach(function (li) { li.remove(); });
    $$("li[role=option]", palette).forEach(function (li) { li.hidden = li.textContent.toLowerCase().indexOf(words) < 0; });
    finish();
    clearTimeout(later);
    if (searching) searching.abort();
    if (words.length > 1 && palette.dataset.searchUrl) later = setTimeout(ask, 200, words);
  }
  function finish() {
    choose(0);
    $(".mx-cmd-none", palette).hidden = options().length > 0;
  }
  function ask(words) {
    searching = new AbortController();
    /* An address of a person must not stand in a URL, where logs keep it; the answer says where to look it up. */
    var asked = words.indexOf("@") < 0 ? words : "email@";
    var url = palette.dataset.searchUrl + "?q=" + encodeURIComponent(asked);
    fetch(url, { headers: { Accept: "text/html", "HX-Request": "true" }, signal: searching.signal })
      .then(function (answer) { return answer.ok ? answer.text() : ""; })
      .then(showHits)
      .catch(function () { /* a newer question is on its way, or the network is away: the page's own entries stay */ });
  }
  function showHits(html) {
    var page = new DOMParser().parseFromString(html, "text/html");
    var known = $$("li[data-url]", palette).map(function (li) { return li.dataset.url; });
    $$("a[data-hit]", page).forEach(function (link, n) {
      if (known.indexOf(link.getAttribute("href")) >= 0) return;
      var li = document.createElement("li");
      li.id = "mx-cmd-hit-" + n;
      li.setAttribute("role", "option");
      li.setAttribute("aria-selected", "false");
      li.dataset.hit = "";
      li.dataset.url = link.getAttribute("href");
      li.append.apply(li, Array.from(document.importNode(link, true).childNodes));
      $("ul", palette).appendChild(li);
    });
    finish();
  }
  function go(li) { if (li) location.assign(li.dataset.url); }
  function openPalette() {
    if (!palette || palette.open) return;
    $("input", palette).value = "";
    filter();
    palette.showModal();
    $("input", palette).focus();
  }
  if (palette) {
    palette.addEventListener("input", filter);
    palette.addEventListener("keydown", function (e) {
      if (e.key === "ArrowDown") { choose(chosen() + 1); e.preventDefault(); }
      if (e.key === "ArrowUp") { choose(chosen() - 1); e.preventDefault(); }
      if (e.key === "Enter") { go(options()[chosen()]); e.preventDefault(); }
      /* A search field would only empty itself. */
      if (e.key === "Escape") { palette.close(); e.preventDefault(); }
    });
    palette.addEventListener("click", function (e) { go(e.target.closest("li[role=option]")); });
  }

  /* ---------- dialogs */
  function openDialog(selector) { var d = $(selector); if (d && d.showModal && !d.open) d.showModal(); }

  /* ---------- clicks */
  function setSegment(button) {
    $$("button", button.closest(".mx-seg")).forEach(function (b) { b.setAttribute("aria-pressed", String(b === button)); });
    var group = button.closest("[data-mx-sets]");
    var target = group && $(group.dataset.mxSets);
    if (target) target.setAttribute("data-mode", button.value);
  }
  document.addEventListener("click", function (ev) {
    if (ev.target.tagName === "DIALOG" && ev.target.matches(".mx-cmd")) { ev.target.close(); return; }
    var t = ev.target.closest("[data-mx-theme],[data-mx-cmd],[data-mx-close],[data-mx-open],[data-mx-shut],[data-mx-copy],[data-mx-insert],.mx-seg button");
    if (!t) return;
    if (t.matches("[data-mx-theme]")) switchTheme();
    else if (t.matches("[data-mx-cmd]")) openPalette();
    else if (t.matches("[data-mx-close]")) { var gone = t.closest(t.dataset.mxClose); if (gone) gone.remove(); }
    else if (t.matches("[data-mx-insert]")) insertText($(t.dataset.mxInto), t.dataset.mxInsert);
    else if (t.matches("[data-mx-open]")) { ev.preventDefault(); openDialog(t.dataset.mxOpen); }
    else if (t.matches("[data-mx-shut]")) t.closest("dialog").close();
    else if (t.matches("[data-mx-copy]")) copy(t);
    else setSegment(t);
  });
  function insertText(field, text) {
    if (!field) return;
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
  }
  function copy(button) {
    navigator.clipboard.writeText(button.dataset.mxCopy).then(function () {
      button.setAttribute("aria-label", text("Copied"));
      button.setAttribute("title", text("Copied"));
    });
  }

  /* ---------- keyboard. Single letters rest while typing and can be switched off. */
  var pending = "";
  function lettersOn() {
    try { return localStorage.getItem("mailai-letters") !== "off"; } catch (e) { return true; }
  }
  function jump(keys) { go($$("#mx-cmd li[data-keys]").find(function (li) { return li.dataset.keys === keys; })); }
  function typing() {
    var e = document.activeElement;
    return e && (/^(INPUT|TEXTAREA|SELECT)$/.test(e.tagName) || e.isContentEditable || e.closest("dialog"));
  }
  document.addEventListener("keydown", function (e) {
    var command = e.metaKey || e.ctrlKey;
    if (command && e.key.toLowerCase() === "k") { e.preventDefault(); openPalette(); return; }
    if (command && e.key === "Enter") { var main = $(".mx-foot .btn-primary, main .btn-primary"); if (main) main.click(); return; }
    if (command || e.altKey || typing()) return;
    if (e.key === "/") { e.preventDefault(); openPalette(); return; }
    if (!lettersOn()) return;
    var key = e.key.toUpperCase();
    if (e.key === "?") openDialog("#mx-keys");
    else if (pending === "G") { pending = ""; jump("G " + key); }
    else if (key === "G") { pending = "G"; setTimeout(function () { pending = ""; }, 1500); }
    else if (key.length === 1) jump(key);
  });
  var letters = $("[data-mx-letters]");
  if (letters) {
    letters.checked = lettersOn();
    letters.addEventListener("change", function () {
      try { localStorage.setItem("mailai-letters", letters.checked ? "on" : "off"); } catch (e) { /* private mode */ }
    });
  }

  /* ---------- files dropped on a .mx-drop go into its file input; data-mx-submit sends the form at once */
  $$(".mx-drop").forEach(function (zone) {
    var input = $("input[type=file]", zone);
    if (!input) return;
    ["dragover", "dragleave", "drop"].forEach(function (name) {
      zone.addEventListener(name, function (e) { e.preventDefault(); zone.classList.toggle("is-over", name === "dragover"); });
    });
    zone.addEventListener("drop", function (e) { input.files = e.dataTransfer.files; input.dispatchEvent(new Event("change", { bubbles: true })); });
    input.addEventListener("change", function () {
      var name = $("[data-mx-filename]", zone);
      if (name && input.files.length) name.textContent = input.files[0].name;
      if (input.files.length && "mxSubmit" in input.dataset) input.form.requestSubmit();
    });
  });

  /* ---------- a select or checkbox with data-mx-submit sends its form when it changes */
  document.addEventListener("change", function (e) {
    if (e.target.matches("select[data-mx-submit], input[type=checkbox][data-mx-submit], input[type=radio][data-mx-submit]")) e.target.form.requestSubmit();
  });

  /* ---------- a second click on a button that sends a form sends nothing twice, as long as the answer is on its way */
  document.addEventListener("submit", function (e) {
    var form = e.target, button = e.submitter ? e.submitter.name + "=" + e.submitter.value : "";
    if (e.defaultPrevented || form.method !== "post") return;
    var again = form.mxSent && form.mxSent.button === button && Date.now() - form.mxSent.at < 3000;
    if (again) e.preventDefault(); else form.mxSent = { button: button, at: Date.now() };
  });
  window.addEventListener("pageshow", function (e) { if (e.persisted) $$("form").forEach(function (form) { form.mxSent = null; }); });

  /* ---------- what a form has answered once is not sent again by a reload: the page stands at another address */
  var answered = $("[data-mx-address]");
  if (answered) history.replaceState(null, "", answered.dataset.mxAddress);

  function refresh() { measure(document); scrollers(); }
  refresh();
  paintTheme();
  window.addEventListener("load", scrollers);
  window.addEventListener("resize", scrollers);
  document.addEventListener("htmx:after:swap", refresh);
})();
