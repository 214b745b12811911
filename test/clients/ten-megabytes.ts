/** Ten million bytes that no compression makes small. */
export function tenMegabytes(): string {
  const part = Array.from({ length: 1000 }, (_, i) => ((i * 2_654_435_761) % 1e10).toString().padStart(10, '0'))
  return part.join('').repeat(1000)
}
