/** How long it takes from `npm start` to the first picture in the conversation, and what stays. */
import { House } from './house.ts'
import { atMost, type Figure, none, type Part } from './part.ts'
import { places, say, shown } from './visitor.ts'

const firstLimitSeconds = 15
const laterLimitSeconds = 5
const place = places[0]!

/** On empty folders and on one that was used before, in a process that npm starts. */
export const start: Part = {
  name: 'start',
  what: 'npm start until the first picture is in the conversation',
  run: async ({ isQuick }, tell) => {
    const houses = isQuick ? 1 : 3
    const starts = isQuick ? 1 : 3
    const first: number[] = []
    const later: number[] = []
    const left: string[] = []
    for (let k = 0; k < houses; k++) {
      const house = new House()
      try {
        first.push(await pictureAfterStart(house, 1))
        tell(`an empty folder: ${first.at(-1)!.toFixed(1)} s`)
        left.push(...(await house.left()))
        for (let again = 1; again <= starts; again++) {
          later.push(await pictureAfterStart(house, 1 + again))
          tell(`started again: ${later.at(-1)!.toFixed(1)} s`)
          left.push(...(await house.left()))
        }
      } finally {
        await house.close()
      }
    }
    const worst = (seconds: readonly number[]): number => Math.max(...seconds)
    const figures: Figure[] = [
      atMost(`empty folder, worst of ${first.length}, s`, worst(first), firstLimitSeconds),
      atMost(`later start, worst of ${later.length}, s`, worst(later), laterLimitSeconds),
      none('processes left after SIGTERM', left),
    ]
    return figures
  },
}

/** Starts, asks for a picture, and stops when it is there. @returns seconds until it was there */
async function pictureAfterStart(house: House, count: number): Promise<number> {
  const startMs = performance.now()
  const process = await house.npmStart()
  await say(process.url, place, 'a red fox in the snow')
  await shown(process.url, place, count)
  const seconds = (performance.now() - startMs) / 1000
  await process.stop()
  return seconds
}
