// Adds the reader's time zone, buttons to copy, a preview of an image, and a reload that sends nothing again.
"use strict";

const to = (timeStyle) => new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle });
const zoned = to("long");
const ways = { zoned, second: to("medium"), minute: to("short"), day: to() };
const show = (at, way) => {
  const whole = way !== "day" || at.getHours() + at.getMinutes() === 0; // a day of UTC begins at another hour in other zones
  return ways[whole ? way : "minute"].format(at);
};

function showTimes(page) { // live.js has it do so with pages that it loads
  for (const element of page.querySelectorAll("time")) {
    const at = new Date(element.dateTime);
    if (element.title) element.title = zoned.format(at);
    else element.textContent = show(at, element.closest("[data-as]").dataset.as);
  }
  const starts = page.querySelectorAll("figure tbody time"); // in the order of the bars
  page.querySelectorAll("figure title").forEach((title, place) => {
    title.textContent = starts[place].textContent + title.textContent.slice(title.textContent.lastIndexOf(": "));
  });
  const zone = page.querySelector("[data-zone]");
  if (zone) zone.textContent = zoned.resolvedOptions().timeZone;
}
showTimes(document);

// The outcome of a form is shown once: a reload requests the page with the form, and sends nothing again.
if (document.getElementById("result")) history.replaceState(null, "", location.pathname);
if (document.getElementById("problem")) history.replaceState(null, "", document.querySelector(".brand").href);

for (const program of document.querySelectorAll(".code pre")) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "plain", textContent: "Copy" }).dataset.copy = program.id;
  program.before(button);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  button.classList.add("ready");
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    if (field.select) field.select();
    else getSelection().selectAllChildren(field);
    try {
      await navigator.clipboard.writeText(field.value ?? field.textContent);
    } catch {
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

for (const canvas of document.querySelectorAll("canvas[data-preview]")) {
  const input = document.getElementById(canvas.dataset.preview);
  const status = document.getElementById(canvas.dataset.status);
  const most = Number(input.dataset.most);
  input.addEventListener("change", async () => {
    const [file] = input.files;
    canvas.classList.remove("ready");
    input.setCustomValidity("");
    status.textContent = "";
    if (!file) return;
    status.textContent = `${file.name}, ${Math.ceil(file.size / 1024).toLocaleString()} kB`;
    if (file.size > most) {
      input.setCustomValidity("The image is larger than 5 MB.");
      input.reportValidity();
      return;
    }
    try {
      const image = await createImageBitmap(file);
      const scale = Math.min(canvas.width / image.width, canvas.height / image.height, 1);
      const [width, height] = [image.width * scale, image.height * scale];
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
      canvas.classList.add("ready");
    } catch {
      status.textContent += " – this does not look like an image";
    }
  });
}
