// Requests the mask for the marks from the pack's route (nodes/segmentation/click_route.py).

const ROUTE = "/igr/segment";
const TIMEOUT = 180_000; // milliseconds; a large SAM 2 on a CPU may take a minute

/**
 * POST a request {model, image, points, candidates}; returns {mask, scores} or {error, status}, with status 0 if there
 * was no response. `stop` is an AbortController that cancels the request.
 */
export async function askForMask(api, question, stop) {
    const timer = setTimeout(() => stop.abort(), TIMEOUT);
    try {
        const answer = await api.fetchApi(ROUTE, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(question),
            signal: stop.signal,
        });
        if (answer.ok) {
            const mask = await createImageBitmap(await answer.blob());
            return { mask, scores: answer.headers.get("X-IGR-Scores") ?? "" };
        }
        const body = await answer.json().catch(() => null);
        return { error: body?.error ?? "ComfyUI could not create the mask.", status: answer.status };
    } catch {
        return { error: "ComfyUI is not responding.", status: 0 };
    } finally {
        clearTimeout(timer);
    }
}
