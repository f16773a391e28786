/**
 * A process that owns an embedded Postgres, for tests that kill it or run it as someone else. Its
 * argument is the data folder. Prints one line of JSON, `{"url"}` or the error's `{"code", "params"}`,
 * and closes in good order when its standard input ends.
 */
import { UserError } from '../../src/core/errors.ts'
import { EmbeddedPostgres } from '../../src/store/postgres.ts'

try {
  const postgres = await EmbeddedPostgres.start({ dataFolder: process.argv[2]!, isDurable: false })
  console.log(JSON.stringify({ url: postgres.url }))
  process.stdin.resume()
  process.stdin.once('end', () => void postgres.close())
} catch (error) {
  if (!(error instanceof UserError)) throw error
  console.log(JSON.stringify({ code: error.code, params: error.params }))
}
