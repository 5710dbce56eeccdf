// Keeps the site for use without a network. A new build has a new name, and is fetched as a whole.
const CACHE = "explainer-" + "VERSION";
const FILES = ["FILES"];

addEventListener("install", (event) => event.waitUntil(
  caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => skipWaiting())));

addEventListener("activate", (event) => event.waitUntil(
  caches.keys()
    .then((names) => Promise.all(names
      .filter((name) => name.startsWith("explainer-") && name !== CACHE)
      .map((name) => caches.delete(name))))
    .then(() => clients.claim())));

addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith(caches.match(event.request, { ignoreSearch: true })
    .then((found) => (found ? isolated(found) : fetch(event.request))));
});

/** The answer with the headers by which a page may share memory with its worker. */
function isolated(answer) {
  const headers = new Headers(answer.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}
