/* Chart style for Plotly. Colours come from CSS tokens, so light and dark follow the page.
   A chart is <div class="mx-chart" data-chart="id" role="img" aria-label="…"> plus a json_script with that id.
   Colours in the JSON are written "c1" … "c5", "control", "c1/0.12" (with alpha). */
(function () {
  "use strict";
  var css = function (name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); };
  var TOKEN = /^(c[1-5]|control|ink|muted|grid|surface|ai|good|bad)(?:\/([\d.]+))?$/;
  var NAMES = { ink: "--tblr-heading-color", muted: "--tblr-secondary", grid: "--mx-grid", surface: "--tblr-bg-surface", ai: "--mx-ai", good: "--mx-good", bad: "--mx-bad" };
  var OPTIONS = { displayModeBar: false, displaylogo: false, responsive: true, plotlyServerURL: "", doubleClick: false, scrollZoom: false };

  function rgba(hex, alpha) {
    var h = hex.replace("#", "");
    if (h.length === 3) h = h.replace(/./g, "$&$&");
    return "rgba(" + [0, 2, 4].map(function (i) { return parseInt(h.slice(i, i + 2), 16); }).join(",") + "," + alpha + ")";
  }
  function colour(token) {
    var m = TOKEN.exec(token);
    if (!m) return token;
    var value = css(NAMES[m[1]] || "--mx-" + m[1]);
    return m[2] ? rgba(value, m[2]) : value;
  }
  function resolve(o, key) {
    if (Array.isArray(o)) return o.map(function (x) { return resolve(x, key); });
    if (o && typeof o === "object") { var r = {}; Object.keys(o).forEach(function (p) { r[p] = resolve(o[p], p); }); return r; }
    return typeof o === "string" && /color/i.test(key || "") ? colour(o) : o;
  }
  function template() {
    var font = { family: css("--tblr-font-sans-serif"), size: 12, color: colour("muted") };
    var axis = { automargin: true, showline: false, zeroline: false, ticks: "", gridcolor: colour("grid"), gridwidth: 1, fixedrange: true, tickfont: font, title: { font: font, standoff: 8 } };
    return {
      layout: {
        font: font, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        colorway: ["c1", "c2", "c3", "c4", "c5"].map(colour), margin: { l: 8, r: 8, t: 8, b: 8, pad: 4 },
        xaxis: Object.assign({}, axis, { showgrid: false }), yaxis: axis,
        showlegend: false, hovermode: "x unified", dragmode: false, bargap: 0.35,
        hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("grid"), font: { family: font.family, size: 12, color: colour("ink") } },
        separators: ".,"
      },
      data: { scatter: [{ line: { width: 2.25, shape: "linear" }, marker: { size: 6 } }], bar: [{ marker: { line: { width: 0 }, cornerradius: 3 } }] }
    };
  }
  function draw(el) {
    var source = document.getElementById(el.dataset.chart);
    if (!source) return Promise.reject(new Error("no data"));
    var spec = resolve(JSON.parse(source.textContent)), days = spec.layout.xaxis;
    /* On a phone few days fit side by side; Plotly would turn them and let them overlap. */
    if (days && days.type === "date") days.nticks = Math.max(2, Math.min(days.nticks || 7, Math.floor((el.clientWidth - 60) / 62)));
    return Plotly.react(el, spec.data, Object.assign({}, spec.layout, { template: template() }), OPTIONS)
      .then(function () { el.removeAttribute("aria-busy"); });
  }
  function fail(el) {
    el.removeAttribute("aria-busy");
    el.textContent = document.body.dataset.textChartFailed || "";
  }

  /* Plotly (396 KB gzip, about half a second to start) loads only when a chart comes near the screen. */
  var address = document.currentScript.dataset.plotly, loading = null;
  function plotly() {
    loading = loading || new Promise(function (done, broken) {
      var script = document.createElement("script");
      script.src = address;
      script.onload = done;
      script.onerror = broken;
      document.head.appendChild(script);
    });
    return loading;
  }
  var charts = function () { return Array.from(document.querySelectorAll(".mx-chart[data-chart]")); };
  var near = new IntersectionObserver(function (list) {
    list.forEach(function (entry) {
      if (!entry.isIntersecting) return;
      near.unobserve(entry.target);
      plotly().then(function () { return draw(entry.target); }).catch(function () { fail(entry.target); });
    });
  }, { rootMargin: "200px" });
  function scan() { charts().forEach(function (el) { if (!el.classList.contains("js-plotly-plot")) near.observe(el); }); }

  /* ---------- table, CSV and PNG of a chart card */
  function save(name, address) {
    var link = document.createElement("a");
    link.href = address;
    link.download = name;
    link.click();
  }
  function cell(value) {
    /* A spreadsheet runs what begins like a formula. */
    var safe = /^[=+@\t\r]/.test(value) ? "'" + value : value;
    return /[",\n]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
  }
  function csv(table) {
    return Array.from(table.rows).map(function (row) {
      return Array.from(row.cells).map(function (c) { return cell(c.textContent.trim()); }).join(",");
    }).join("\r\n");
  }
  function saveCsv(card, name) {
    var address = URL.createObjectURL(new Blob(["\ufeff" + csv(card.querySelector("table"))], { type: "text/csv" }));
    save(name + ".csv", address);
    setTimeout(URL.revokeObjectURL, 1000, address);
  }
  function savePng(card, name) {
    plotly().then(function () { return Plotly.toImage(card.querySelector(".mx-chart"), { format: "png", width: 1200, height: 560, scale: 2 }); })
      .then(function (address) { save(name + ".png", address); });
  }
  function toggleTable(card, button) {
    var chart = card.querySelector(".mx-chart"), table = card.querySelector(".mx-chart-table");
    table.hidden = !table.hidden;
    chart.hidden = !table.hidden;
    button.setAttribute("aria-pressed", String(!table.hidden));
    if (!chart.hidden && window.Plotly && chart.classList.contains("js-plotly-plot")) Plotly.Plots.resize(chart);
  }
  document.addEventListener("click", function (ev) {
    var button = ev.target.closest("[data-mx-table],[data-mx-csv],[data-mx-png]");
    var card = button && button.closest(".mx-chart-card");
    if (!card) return;
    var name = card.dataset.name || "chart";
    if (button.matches("[data-mx-table]")) toggleTable(card, button);
    else if (button.matches("[data-mx-csv]")) saveCsv(card, name);
    else savePng(card, name);
  });

  scan();
  document.addEventListener("htmx:after:swap", scan);
  document.addEventListener("mx:theme", function () {
    if (window.Plotly) charts().forEach(function (el) { if (el.classList.contains("js-plotly-plot")) draw(el).catch(function () { fail(el); }); });
  });
})();
