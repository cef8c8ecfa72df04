// Finds the photo connected to the editor's node, and loads it as the segmenter sees it.

const MAX_REROUTES = 20;
const SAMPLE = 512; // longest side in pixels at which a photo is checked for transparency
const OPAQUE = 250; // alpha from which a pixel counts as opaque

/**
 * The node and output connected to an input, through Reroute nodes; null without a link. The node is null if it is not
 * visible from here, for example because the input is inside a subgraph.
 */
export function originOf(node, name) {
    let input = node.inputs?.findIndex((one) => one.name === name) ?? -1;
    for (let depth = 0; depth < MAX_REROUTES; depth++) {
        const link = input < 0 ? null : node.getInputLink(input);
        if (!link) return null;
        const origin = node.graph?.getNodeById(link.origin_id) ?? null;
        if (origin?.type !== "Reroute") return { node: origin, slot: link.origin_slot };
        node = origin;
        input = node.inputs?.length ? 0 : -1;
    }
    return null;
}

export const widgetValue = (node, name) => node?.widgets?.find((widget) => widget.name === name)?.value;

/** Load Image's file name, `folder/name.png [output]`, as parameters of /view; null if it does not name a file. */
export function fileOf(name, kind) {
    if (!name || name.startsWith("blake3:")) return null;
    const [, given, type] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(name);
    const path = given.split("/");
    return { filename: path.pop(), subfolder: path.join("/"), type: type ?? kind };
}

/**
 * The photo as the route's `image`, and its content key if the name alone does not identify it. `shown` is the photo of
 * the last run; `image` is null if the graph names no file and nothing has run.
 */
export function sourceOf(origin, shown) {
    const image = origin?.slot === 0 ? namedImage(origin.node) : null;
    if (image || !origin || !shown) return { image };
    const { content, ...file } = shown;
    return { image: file, content };
}

function namedImage(node) {
    switch (node?.comfyClass ?? node?.type) {
        case "LoadImage": return fileOf(widgetValue(node, "image"), "input");
        case "LoadImageOutput": return fileOf(widgetValue(node, "image"), "output");
        case "IGRExamplePerson": return { filename: widgetValue(node, "garment"), subfolder: "", type: "example" };
        default: return null;
    }
}

/** A node's photo from the last run, from the outputs that the frontend keeps when it recreates the graph. */
export function lastRunOf(node, outputs) {
    const name = node.graph.isRootGraph === false ? `${node.graph.id}:${node.id}` : node.id;
    return outputs?.[name]?.igr_photo?.[0] ?? null;
}

/**
 * A photo as the segmenter sees it, without transparency, as HTMLImageElement; null if it cannot be loaded. `urlOf`
 * turns a path on ComfyUI's server into a URL.
 */
export async function loadPhoto(image, urlOf) {
    if (image.type === "example") return loadImage(urlOf(`/igr/example/${encodeURIComponent(image.filename)}`));
    const path = `/view?${new URLSearchParams({ ...image, rand: Math.random() })}`;
    const photo = await loadImage(urlOf(path));
    if (!photo || !isTransparent(photo)) return photo;
    // ComfyUI re-encodes this image and drops its EXIF orientation, so it is only requested if needed.
    const opaque = await loadImage(urlOf(`${path}&channel=rgb`));
    const isSame = opaque?.naturalWidth === photo.naturalWidth && opaque.naturalHeight === photo.naturalHeight;
    return isSame ? opaque : photo;
}

function loadImage(address) {
    return new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve(image);
        image.onerror = () => resolve(null);
        image.src = address;
    });
}

function isTransparent(photo) {
    const scale = Math.min(1, SAMPLE / Math.max(photo.naturalWidth, photo.naturalHeight));
    const sides = [photo.naturalWidth, photo.naturalHeight];
    const [width, height] = sides.map((side) => Math.max(1, Math.round(side * scale)));
    const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    pen.drawImage(photo, 0, 0, width, height);
    return pen.getImageData(0, 0, width, height).data.some((value, place) => place % 4 === 3 && value < OPAQUE);
}
