/** Speaks JSON with the server; a refusal becomes an Error carrying the server's own sentence. */

const token = () => document.querySelector('meta[name="csrf-token"]').content;

async function answer(response) {
  const isJson = response.headers.get("content-type")?.includes("application/json");
  const body = isJson ? await response.json() : null;
  if (!response.ok) {
    const error = new Error(body?.message ?? `${response.status} ${response.statusText}`);
    error.status = response.status;
    error.body = body;
    throw error;
  }
  return body;
}

export async function get(url) {
  return answer(await fetch(url, { headers: { Accept: "application/json" } }));
}

export async function post(url, body) {
  const headers = {
    Accept: "application/json",
    "Content-Type": "application/json",
    "X-CSRFToken": token(),
  };
  return answer(await fetch(url, { method: "POST", headers, body: JSON.stringify(body) }));
}
