/**
 * The random numbers of torch's CPU generator, so that a seed draws here what it draws in the
 * reference pipelines: a Mersenne Twister, then Box-Muller in the order in which torch consumes it.
 * Source: PyTorch, ATen/core/MT19937RNGEngine.h, ATen/core/DistributionsHelper.h and
 * ATen/native/cpu/DistributionTemplates.h.
 */

const stateLength = 624
const middle = 397

/** torch fills blocks of this many normals; a shorter draw takes another path. */
const blockLength = 16
const halfBlock = blockLength / 2

const twoPi = Math.fround(2 * Math.PI)

/** A seeded source of standard normals; draws follow on from one another as torch's do. */
export class Generator {
  readonly #state = new Uint32Array(stateLength)
  #used = stateLength
  /** The pair's second value that an odd short draw left over. */
  #spare: number | undefined

  /** @param seed an integer in [0, 2^53); only its low 32 bits count, as in torch */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new Error(`internal: seed ${seed} is not an integer in [0, 2^53)`)
    }
    const state = this.#state
    state[0] = seed
    for (let i = 1; i < stateLength; i++) {
      const last = state[i - 1]!
      state[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i
    }
  }

  /**
   * `count` independent standard normals: `torch.randn` of a contiguous float32 tensor with as many
   * elements, whatever its shape; bfloat16 noise is these values rounded. Within 5e-7 of torch on
   * x86, where polynomials stand in for log, sin and cos; fewer than 16 agree to the last bit.
   */
  normal(count: number): Float32Array {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new Error(`internal: cannot draw ${count} normals`)
    }
    return count < blockLength ? this.#short(count) : this.#blocks(count)
  }

  /** All uniforms first, then each block of sixteen turned into normals in its place. */
  #blocks(count: number): Float32Array {
    const values = new Float32Array(count)
    for (let i = 0; i < count; i++) values[i] = this.#uniform24()
    for (let at = 0; at + blockLength <= count; at += blockLength) boxMuller(values, at)
    if (count % blockLength !== 0) {
      // The last sixteen are drawn anew, which also replaces normals of the block before.
      const tail = count - blockLength
      for (let i = tail; i < count; i++) values[i] = this.#uniform24()
      boxMuller(values, tail)
    }
    return values
  }

  /** One value at a time in double precision, made in pairs whose second may wait for a later draw. */
  #short(count: number): Float32Array {
    return new Float32Array(count).map(() => {
      const spare = this.#spare
      if (spare !== undefined) {
        this.#spare = undefined
        return spare
      }
      const angle = 2 * Math.PI * this.#uniform53()
      const radius = Math.sqrt(-2 * Math.log1p(-this.#uniform53()))
      this.#spare = radius * Math.sin(angle)
      return radius * Math.cos(angle)
    })
  }

  /** In [0, 1), exact in float32. */
  #uniform24(): number {
    return (this.#next32() & 0xffffff) / 2 ** 24
  }

  /** In [0, 1), the low 53 bits of two draws, the first of them the high half. */
  #uniform53(): number {
    const high = this.#next32() & 0x1fffff
    return (high * 2 ** 32 + this.#next32()) / 2 ** 53
  }

  #next32(): number {
    if (this.#used === stateLength) {
      twist(this.#state)
      this.#used = 0
    }
    let y = this.#state[this.#used++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }
}

/** The next 624 words of the Mersenne Twister, untempered. */
function twist(state: Uint32Array): void {
  for (let i = 0; i < stateLength; i++) {
    const joined = (state[i]! & 0x80000000) | (state[(i + 1) % stateLength]! & 0x7fffffff)
    const mixed = state[(i + middle) % stateLength]! ^ (joined >>> 1)
    state[i] = joined & 1 ? mixed ^ 0x9908b0df : mixed
  }
}

/** Turns sixteen uniforms into normals, each of the first eight with the one eight places on. */
function boxMuller(values: Float32Array, at: number): void {
  for (let i = at; i < at + halfBlock; i++) {
    // Careful: rounded wherever torch's vector code is; all in double is three times as far off.
    const radius = Math.fround(Math.sqrt(-2 * Math.fround(Math.log(1 - values[i]!))))
    const angle = Math.fround(twoPi * values[i + halfBlock]!)
    values[i] = radius * Math.fround(Math.cos(angle))
    values[i + halfBlock] = radius * Math.fround(Math.sin(angle))
  }
}
