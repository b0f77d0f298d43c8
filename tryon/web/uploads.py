"""What the page uploads, as the page itself notes it.

gradio's editor uploads pictures of its own accord and tells nobody; the server cannot know whose they are.
"""

NOTE_UPLOADS = """<script>
  window.sentFiles = [];
  window.sending = new Set();
  const plainFetch = window.fetch;
  window.fetch = (...request) => {
    const answer = plainFetch(...request);
    const address = new URL(request[0].url ?? request[0], window.location.href);
    if (address.pathname.endsWith("/gradio_api/upload")) {
      const noted = answer
        .then((response) => response.clone().json())
        .then((paths) => window.sentFiles.push(...paths))
        .catch(() => {})  // refused: nothing was kept
        .finally(() => window.sending.delete(noted));
      window.sending.add(noted);
    }
    return answer;
  };
</script>"""
"""For the head of the page: notes every file that the page sends."""

ADD_SENT_FILES = """async (...inputs) => {
  while (window.sending.size) { await Promise.all(window.sending); }
  return [...inputs.slice(0, -1), window.sentFiles.splice(0)];
}"""
"""Puts the paths of these files in the place of the last input, once all have arrived."""

LATER = "(...inputs) => new Promise((resolve) => setTimeout(() => resolve(inputs), 3000))"
"""Passes the inputs on after three seconds: the editor has noticed by then that it is empty."""
