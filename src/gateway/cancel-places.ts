/** Counts what is on its way at one time, in total and by address. */
export class CancelPlaces {
  readonly #limits: { readonly total: number; readonly perAddress: number }
  readonly #byAddress = new Map<string, number>()
  #total = 0

  constructor(limits: { readonly total: number; readonly perAddress: number }) {
    this.#limits = limits
  }

  /** @returns how to leave, once; undefined when there is no place */
  enter(address: string): (() => void) | undefined {
    const taken = this.#byAddress.get(address) ?? 0
    if (this.#total >= this.#limits.total || taken >= this.#limits.perAddress) return undefined
    this.#total += 1
    this.#byAddress.set(address, taken + 1)
    return () => {
      this.#total -= 1
      const left = (this.#byAddress.get(address) ?? 1) - 1
      if (left > 0) this.#byAddress.set(address, left)
      else this.#byAddress.delete(address)
    }
  }
}
