/**
 * Frames by HTTP: `POST /v1/frames`, in every process. A request holds one frame, and its answer comes when all that it
 * brought is on disk, or is refused and kept as a dead letter. Nothing is half-taken: each frame is taken or refused
 * whole, and an answer says how many were, whatever became of the rest of the body.
 */
export { FRAMES_PATH, openHttp } from './way.ts';
export { FRAMES_OPERATION } from './operation.ts';
