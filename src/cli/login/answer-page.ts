/** What the browser shows when it has brought the answer back: one sentence, no script, nothing loaded, nothing of the request. */
export function answerPage(title: string, sentence: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · Postern</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; display: grid; place-content: center; min-height: 90vh; margin: 1rem; }
main { max-width: 26rem } h1 { font-size: 1.25rem; margin: 0 0 .5rem } p { margin: 0 }
@media (prefers-color-scheme: dark) { body { background: #16181d; color: #e7e9ee } }
</style></head>
<body><main><h1>${title}</h1><p>${sentence}</p></main></body>
</html>
`
}
