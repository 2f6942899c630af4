// Keeps the log page up to date while it is looked at: loads it every few seconds, and changes what differs.
"use strict";

(() => {
  const note = document.getElementById("live");
  const [words, news, button] = ["span", "[role=status]", "button"].map((one) => note.querySelector(one));
  const main = document.getElementById("main");
  const [usual, longest] = [5_000, 60_000]; // milliseconds between two requests, and at most while they fail
  let tag = note.dataset.tag;
  let wait = usual;
  let paused = false;
  let asking = false;
  let timer;

  const keyOf = (node) => node.dataset?.key;
  const keys = () => [...main.querySelectorAll("tr[data-key]")].map(keyOf);
  const alike = (one, other) => one?.nodeName === other.nodeName && one.id === other.id && !keyOf(one) && !keyOf(other);

  // Nodes stay where they can, with the focus and what is unfolded.
  function morph(present, wanted) {
    if (present.id === "live" || present.isEqualNode(wanted) || present.nodeName === "INPUT" || present.nodeName === "SELECT") return;
    if (present.nodeType !== Node.ELEMENT_NODE) {
      present.nodeValue = wanted.nodeValue;
      return;
    }
    for (const { name } of [...present.attributes]) {
      if (!wanted.hasAttribute(name) && name !== "open") present.removeAttribute(name);
    }
    for (const { name, value } of wanted.attributes) {
      if (present.getAttribute(name) !== value) present.setAttribute(name, value);
    }
    const kept = new Map([...present.children].filter(keyOf).map((one) => [keyOf(one), one]));
    let next = present.firstChild;
    for (const one of [...wanted.childNodes]) {
      const same = kept.get(keyOf(one)) ?? (alike(next, one) ? next : null);
      if (same === null) present.insertBefore(document.importNode(one, true), next);
      else {
        if (same === next) next = next.nextSibling;
        else present.insertBefore(same, next);
        morph(same, one);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  function replace(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const wanted = page.getElementById("main");
    showTimes(page);
    const known = new Set(keys());
    for (const row of main.querySelectorAll("tr.new")) row.classList.remove("new");
    morph(main, wanted);
    tag = page.getElementById("live").dataset.tag;
    const old = keys().findIndex((key) => known.has(key)); // rows below it may come from the next page
    const rows = [...main.querySelectorAll("tr[data-key]")].slice(0, old < 0 ? undefined : old);
    for (const row of rows) row.classList.add("new");
    if (rows.length) news.textContent = rows.length === 1 ? "1 new open" : `${rows.length} new opens`;
  }

  async function ask() {
    clearTimeout(timer);
    if (asking || paused || document.visibilityState !== "visible") return;
    asking = true;
    try {
      const options = { cache: "no-store", redirect: "error", headers: { "If-None-Match": tag } };
      const answer = await fetch(location.href, options);
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(answer.statusText);
        const html = await answer.text();
        if (!paused) replace(html);
      }
      wait = usual;
    } catch {
      wait = Math.min(2 * wait, longest);
    }
    asking = false;
    say();
    timer = setTimeout(ask, wait);
  }

  function say() {
    words.textContent = paused ? "Paused" : wait === usual ? "Updates by itself" : "The server does not answer";
    button.textContent = paused ? "Resume" : "Pause";
  }

  button.addEventListener("click", () => {
    paused = !paused;
    wait = usual;
    say();
    ask();
  });
  document.addEventListener("visibilitychange", ask);
  note.classList.add("ready");
  timer = setTimeout(ask, usual);
})();
