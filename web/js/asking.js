// Asks the pack's route for the mask that marks give (nodes/segmentation/click_route.py).

const ROUTE = "/igr/segment";
const TIMEOUT = 180_000; // milliseconds: a large SAM 2 on a CPU may take a minute

/**
 * POST a question {model, image, points, candidates}: {mask, scores}, or {error, status}, where status 0 means that no
 * answer came. `stop` is an AbortController that ends the request.
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
        const told = await answer.json().catch(() => null);
        return { error: told?.error ?? "ComfyUI cannot make the mask.", status: answer.status };
    } catch {
        return { error: "ComfyUI does not answer.", status: 0 };
    } finally {
        clearTimeout(timer);
    }
}
