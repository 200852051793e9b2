/** The page a browser login ends on: what happened, and what to do next. It loads nothing and runs nothing. */
export function loginPage(outcome: { ok: true } | { ok: false; reason: string }): string {
  const [title, text] = outcome.ok
    ? ["You are signed in", "tsign has what it needs and goes on in the terminal. You can close this page."]
    : [
        "The login failed",
        `${escapeHtml(outcome.reason)}. Close this page, go back to the terminal and run the command again.`,
      ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>tsign: ${title}</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>${title}</h1>
<p>${text}</p>
</html>
`;
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replaceAll(/[&<>"']/g, (character) => names[character] ?? "");
}
