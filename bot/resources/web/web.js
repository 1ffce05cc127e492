// Runs once, inside the composer: `element` is the composer, `trigger` starts the page's one event.
const form = element.querySelector("form");
const box = element.querySelector("textarea");
const lost = element.querySelector(".lost");
const talk = document.getElementById("talk");
const UNSENT = "mentos-unsent";
const READ_AT_MOST = 100000;
const SENT_AT_MOST = 300000; // more than is read: danger is heard in all of it
let unsent = null;
let isAtEnd = true;

// crypto.randomUUID is missing on plain http
const uuid = () =>
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (+c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (+c / 4)))).toString(16),
  );

const say = (text, ticket = uuid()) => trigger("submit", { text, ticket });

const fit = () => {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
};

const warn = (words) => {
  if (lost.textContent !== words) lost.textContent = words;
};

const write = (text) => {
  box.value = text;
  fit();
  box.focus();
};

function send() {
  const text = box.value;
  if (!text.trim()) return box.focus();
  if (text.length > SENT_AT_MOST) return warn(box.dataset.tooLong);
  // sent again after a failure, the same words have the same ticket: they are heard once
  unsent = unsent?.text === text ? unsent : { text, ticket: uuid() };
  isAtEnd = true;
  warn("");
  say(text, unsent.ticket);
  if (text.length <= READ_AT_MOST) write(""); // longer words stay here unless they are heard after all
}

function restore() {
  if (unsent && !box.value) write(unsent.text);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});

box.addEventListener("keydown", (event) => {
  // 229: an input method is still composing a syllable
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  send();
});
box.addEventListener("input", fit);

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-say], [data-write], [data-toggle]");
  if (!button) return;
  if (button.dataset.say) {
    isAtEnd = true;
    say(button.dataset.say);
    if (talk.contains(button)) box.focus(); // it is about to vanish
    else if (matchMedia("(max-width: 899px)").matches) toggle(document.querySelector("[data-toggle]"), false);
  } else if (button.dataset.write) {
    write(button.dataset.write);
  } else {
    toggle(button);
  }
});

document.addEventListener("keydown", (event) => {
  const button = document.querySelector('[data-toggle][aria-expanded="true"]');
  if (event.key === "Escape" && button) {
    toggle(button, false);
    button.focus();
  }
});

function toggle(button, open = button.getAttribute("aria-expanded") !== "true") {
  button.setAttribute("aria-expanded", open);
  document.body.classList.toggle("side-open", open);
}

// Scrolling: follow what is said, unless somebody reads further up.
talk.addEventListener(
  "scroll",
  () => {
    isAtEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
  },
  { passive: true },
);

new MutationObserver(() => {
  const heard = talk.querySelector(".log")?.dataset.heard?.split(" ") ?? [];
  if (unsent && heard.includes(unsent.ticket)) {
    if (box.value === unsent.text) write("");
    unsent = null;
    warn("");
  }
  if (isAtEnd) talk.scrollTop = talk.scrollHeight;
}).observe(talk, { childList: true, subtree: true, characterData: true, attributes: true });

// Gradio says in a toast that the connection is lost, and loads the page anew when it is back.
new MutationObserver((changes) => {
  for (const { addedNodes } of changes)
    for (const node of addedNodes)
      if (node.nodeType === 1 && (node.matches(".toast-body") || node.querySelector(".toast-body"))) {
        warn(lost.dataset.text);
        restore();
      }
}).observe(document.body, { childList: true, subtree: true });

addEventListener("pagehide", () => {
  restore();
  if (box.value) sessionStorage.setItem(UNSENT, JSON.stringify({ text: box.value, ticket: unsent?.ticket }));
});

const kept = JSON.parse(sessionStorage.getItem(UNSENT));
sessionStorage.removeItem(UNSENT);
if (kept?.text) {
  unsent = kept.ticket ? kept : null;
  box.value = kept.text;
  fit();
}
document.documentElement.lang = form.dataset.language; // Gradio puts the browser's there
