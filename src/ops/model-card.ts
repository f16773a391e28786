/**
 * What a model folder says of its model, for a bot that is started before any worker was: read from
 * its configs and the heads of its files, without loading it.
 */
import { basename, join } from 'node:path'
import { Checkpoint } from '../engine/checkpoint.ts'
import { EngineError } from '../engine/error.ts'
import { readModelFolder } from '../engine/models/config.ts'
import type { ModelCard } from '../store/devices.ts'

/** The card of a model folder; none if there is no sound one here, as on a machine without models. */
export async function modelCardOf(modelFolder: string): Promise<ModelCard | undefined> {
  try {
    const { folder, defaults } = await readModelFolder(modelFolder)
    const { parameters } = await Checkpoint.open(
      join(folder, 'transformer'),
      'diffusion_pytorch_model',
    )
    return { name: basename(folder), parameters, defaults }
  } catch (error) {
    if (error instanceof EngineError) return undefined
    throw error
  }
}
