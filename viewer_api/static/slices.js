// A slice is [SOP Instance UID, frame, columns, rows]; its address is its IIIF identifier, window included.
const TILE = 512;
const AHEAD = [1, -1, 2, -2, 3, 4];

export function source([uid, frame, width, height], window) {
  const factors = [1];
  while (Math.max(width, height) / factors.at(-1) > 256) factors.push(factors.at(-1) * 2);
  return {
    "@context": "http://iiif.io/api/image/3/context.json",
    id: `${location.origin}/iiif/${uid}:${frame}${window && `:${window}`}`,
    type: "ImageService3",
    protocol: "http://iiif.io/api/image",
    profile: "level1",
    width,
    height,
    tiles: [{ width: TILE, scaleFactors: factors }],
  };
}

// Neighbours of one tile come into the browser's cache before they are asked for.
export function preload(slices, index, window) {
  for (const step of AHEAD) {
    const slice = slices[index + step];
    if (!slice || slice[2] > TILE || slice[3] > TILE) continue;
    const tiles = new globalThis.OpenSeadragon.IIIFTileSource(source(slice, window));
    new Image().src = tiles.getTileUrl(tiles.maxLevel, 0, 0);
  }
}
