/**
 * Preloaded into a runner, makes its first step one that never ends: the main thread is lost, as in
 * an onnxruntime run that takes very long.
 */
const on = process.on.bind(process)
process.on = (event: string, listener: (...args: never[]) => void): NodeJS.Process => {
  const blocked = (message: unknown): void => {
    if (typeof message === 'object' && message && 'type' in message && message.type === 'next') {
      for (;;);
    }
    Reflect.apply(listener, process, [message])
  }
  Reflect.apply(on, process, [event, event === 'message' ? blocked : listener])
  return process
}
