// Decodes with llama.cpp (through node-llama-cpp) for some seconds and writes one line of JSON:
// tokens, seconds, and bytes read from the drive meanwhile.
//   node llama.mjs FOLDER_OF_NODE_MODULES MODEL THREADS SECONDS
import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";

const [, , folder, model_path, threads, seconds] = process.argv;
const entry = `${folder}/node_modules/node-llama-cpp/dist/index.js`;
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(entry));

const readBytes = () =>
    Number(/^read_bytes: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))[1]);

const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath: model_path, gpuLayers: 0, useMmap: true});
const n = Number(threads);
const context = await model.createContext({
    contextSize: 512, batchSize: 64, sequences: 1, threads: {ideal: n, min: n}
});
const sequence = context.getSequence();

// The first token comes of the prompt; the clock starts behind it.
const WARM = 1;
let tokens = -WARM, start = 0, read = 0, elapsed = 0;
for await (const token of sequence.evaluate([300, 301, 302, 303], {temperature: 0.8, seed: 1, yieldEogToken: true})) {
    tokens++;
    if (tokens === 0) {
        start = performance.now();
        read = readBytes();
    }
    elapsed = (performance.now() - start) / 1000;
    if (tokens > 0 && (elapsed >= Number(seconds) || tokens >= 256)) break;
}
console.log(JSON.stringify({
    tokens, seconds: elapsed, read_bytes: readBytes() - read, release: llama.llamaCppRelease
}));
process.exit(0);
