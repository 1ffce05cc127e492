// Runs once, inside the composer: `element` is the composer, `trigger` hands in what is said.
const form = element.querySelector("form");
const box = element.querySelector("textarea");
const lost = element.querySelector(".lost");
const talk = document.getElementById("talk");
const KEPT = "mentos-kept";
const READ_AT_MOST = 100000;
const SENT_AT_MOST = 300000; // more than is read: danger is heard in all of it
const HEARD_WITHIN_MS = 8000;
const LOOK_AGAIN_MS = 2000;
const SENT_ANEW_WITHIN_MS = 600000;
const tabs = window.BroadcastChannel && new BroadcastChannel("mentos");
let unheard = []; // what was said, in order, until it is shown to have arrived
let boxed = null; // the one of them that also stands in the box
let who = null;
let isLoadingAnew = false;
let isAtEnd = true;

// crypto.randomUUID is missing on plain http
const uuid = () =>
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (+c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (+c / 4)))).toString(16),
  );

const isRead = (text) => text.length <= READ_AT_MOST;
const say = (text, ticket = uuid()) => trigger("submit", { text, ticket });

const fit = () => {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
};

const warn = (words) => {
  if (lost.textContent !== words) lost.textContent = words;
};

const isLost = () => lost.textContent === lost.dataset.text;

const write = (text) => {
  box.value = text;
  fit();
  box.focus();
};

function send() {
  const text = box.value;
  if (!text.trim()) return box.focus();
  if (text.length > SENT_AT_MOST) return warn(box.dataset.tooLong);
  isAtEnd = true;
  // sent again after a failure, the same words have the same ticket: they are heard once
  const twin = unheard.find((other) => other.text === text);
  boxed = { text, ticket: twin?.ticket ?? uuid(), at: Date.now(), who };
  unheard = [...unheard.filter((other) => other !== twin), boxed];
  bring(boxed);
  if (isLost()) return; // it stays until it is heard
  warn("");
  if (isRead(text)) unbox();
}

function bring(said) {
  say(said.text, said.ticket);
  if (isRead(said.text)) setTimeout(lookAfter, HEARD_WITHIN_MS, said);
}

function unbox() {
  boxed = null;
  write("");
}

function restore() {
  if (!unheard.length || box.value) return;
  boxed = unheard.at(-1);
  write(boxed.text);
}

// The connection may be gone without a word: the page is loaded anew, once.
function lookAfter(said) {
  if (!unheard.includes(said)) return;
  warn(lost.dataset.text);
  restore();
  if (said.isSentAnew) return;
  for (const each of unheard) each.isSentAnew = true;
  loadAnew();
}

function loadAnew() {
  if (isLoadingAnew) return;
  isLoadingAnew = true;
  const look = () =>
    fetch("/favicon.svg", { cache: "no-store", signal: AbortSignal.timeout?.(HEARD_WITHIN_MS) })
      .then(({ ok }) => ok || Promise.reject())
      .then(() => location.reload(), lookAgain);
  const lookAgain = () => setTimeout(look, LOOK_AGAIN_MS);
  lookAgain();
}

function settle(heard) {
  const arrived = unheard.filter(({ ticket }) => heard.includes(ticket));
  if (!arrived.length) return;
  unheard = unheard.filter((said) => !arrived.includes(said));
  if (arrived.includes(boxed)) unbox();
  if (!unheard.length && isLost()) warn("");
  bringNext();
}

// What is old, too long, or was said as somebody else, stays in the box; so does a command: it might be obeyed twice.
function sendAnew() {
  const isOld = ({ at }) => Date.now() - at > SENT_ANEW_WITHIN_MS;
  const isAnother = (said) => said.who && said.who !== who;
  const isCommand = ({ text }) => text.trim().startsWith("/");
  const stays = (said) =>
    said.isDue && (isOld(said) || isAnother(said) || isCommand(said) || !isRead(said.text));
  const back = unheard.filter(stays).map(({ text }) => text);
  if (back.length) {
    write([...back, unheard.includes(boxed) ? "" : box.value].filter(Boolean).join("\n"));
    warn(lost.dataset.back);
    boxed = null;
  }
  unheard = unheard.filter((said) => !stays(said));
  bringNext();
}

// one after the other, which keeps their order
function bringNext() {
  const next = unheard.find((said) => said.isDue);
  if (!next) return;
  next.isDue = false;
  bring(next);
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
box.addEventListener("input", () => {
  fit();
  unheard = unheard.filter((said) => said !== boxed); // put otherwise, it is not sent as it was
  boxed = null;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-say], [data-write], [data-toggle]");
  if (!button) return;
  if (button.dataset.say) {
    isAtEnd = true;
    say(button.dataset.say);
    if (talk.contains(button)) box.focus(); // it is about to vanish
    else if (matchMedia("(max-width: 899px)").matches) toggle(document.querySelector("[data-toggle]"), false);
  } else if (button.dataset.write) {
    boxed = null;
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
  const shown = talk.querySelector(".log[data-who]");
  settle(shown?.dataset.heard.split(" ") ?? []);
  if (shown && !who) {
    who = shown.dataset.who;
    tabs?.postMessage(who);
    sendAnew();
  }
  if (shown?.hasAttribute("data-left")) loadAnew();
  if (isAtEnd) talk.scrollTop = talk.scrollHeight;
}).observe(talk, { childList: true, subtree: true, characterData: true, attributes: true });

// In another tab the browser became somebody else's, a guest's perhaps: this one shows and hears the former.
tabs?.addEventListener("message", ({ data }) => {
  if (who && data !== who) location.reload();
});

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
  sessionStorage.setItem(KEPT, JSON.stringify({ draft: box.value, unheard }));
});

const kept = JSON.parse(sessionStorage.getItem(KEPT));
sessionStorage.removeItem(KEPT);
if (kept) {
  unheard = kept.unheard.map((said) => ({ ...said, isDue: true }));
  box.value = kept.draft;
  boxed = unheard.find(({ text }) => text === kept.draft) ?? null;
  fit();
}
document.documentElement.lang = form.dataset.language; // Gradio puts the browser's there
