/* The wizard of an upload: the bar of the upload itself, and one click for a suggested field. */

function share(form, percent) {
  const bar = form.querySelector("[data-sending] [role=progressbar]");
  bar.setAttribute("aria-valuenow", String(percent));
  bar.querySelector("i").style.setProperty("--w", percent + "%");
  const words = percent < 100 ? form.dataset.textShare.replace("%(share)s", String(percent)) : form.dataset.textReading;
  form.querySelector("[data-sending-text]").textContent = words;
}

function show(form, { sending, sentence = "" }) {
  form.querySelector("[data-sending]").hidden = !sending;
  form.querySelector(".mx-drop").hidden = sending;
  form.querySelector("[data-sending-error]").hidden = !sentence;
  form.querySelector("[data-sending-sentence]").textContent = sentence;
  if (!sending) form.querySelector("input[type=file]").value = "";
}

function answered(form, request) {
  const said = typeof request.response === "object" && request.response ? request.response : {};
  if (request.status === 200 && said.url) location.assign(said.url);
  // The login ran out, and what came is its page: this page leads there and back.
  else if (request.status === 200) location.reload();
  else show(form, { sending: false, sentence: said.error || (request.status === 403 ? form.dataset.textOld : form.dataset.textFailed) });
}

function send(form) {
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.responseType = "json";
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (e) => share(form, e.total ? Math.floor((100 * e.loaded) / e.total) : 0));
  request.addEventListener("load", () => answered(form, request));
  request.addEventListener("error", () => show(form, { sending: false, sentence: form.dataset.textFailed }));
  request.addEventListener("abort", () => show(form, { sending: false }));
  form.querySelector("[data-sending-stop]").onclick = () => request.abort();
  const data = new FormData(form);
  show(form, { sending: true });
  share(form, 0);
  form.querySelector("[data-sending-stop]").focus();
  request.send(data);
}

document.addEventListener("submit", (e) => {
  if (!e.target.matches("form[data-upload]")) return;
  e.preventDefault();
  send(e.target);
});

document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-mx-choose]");
  if (!button) return;
  const select = document.querySelector(button.dataset.mxChoose);
  select.value = button.value;
  select.focus();
});
