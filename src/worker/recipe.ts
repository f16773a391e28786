/**
 * What a picture says of itself: its recipe, so that whoever finds the file can draw it again, and
 * that a model has made it. In PNG texts: `parameters` as other programs write and read it, and our
 * own `zimagine` as JSON; in XMP: the digital source type of the IPTC.
 */
import type { JobSpec } from '../core/job-spec.ts'

/** Of which job and model a picture is, and its own seed. */
export type RecipeFacts = {
  readonly jobId: string
  readonly spec: JobSpec
  readonly seed: number
  readonly model: string
}

/** The recipe as PNG texts, by keyword. */
export function recipeTexts({ jobId, spec, seed, model }: RecipeFacts): Record<string, string> {
  const { kind, prompt, asked, negativePrompt, width, height, evaluations, guidance } = spec
  const { strength, style, parent } = spec
  const known = { kind, prompt, asked, negativePrompt, width, height, seed, evaluations, guidance }
  return {
    Software: 'Zimagine',
    parameters: parametersOf({ jobId, spec, seed, model }),
    zimagine: JSON.stringify({ job: jobId, model, ...known, strength, style, parent }),
  }
}

/** That a model has made the picture, and from which words, as an XMP packet. */
export function recipeXmp({ spec }: RecipeFacts): string {
  const source = 'http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia'
  return `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="Zimagine"
    Iptc4xmpExt:DigitalSourceType="${source}">
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">${escaped(spec.prompt)}</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>`
}

/** Lines as Stable Diffusion's web UI made them usual; its scale is one more than our guidance. */
function parametersOf({ jobId, spec, seed, model }: RecipeFacts): string {
  const { prompt, negativePrompt, width, height, evaluations, guidance, strength } = spec
  const facts = {
    Steps: evaluations,
    'CFG scale': guidance + 1,
    Seed: seed,
    Size: `${width}x${height}`,
    Model: model,
    'Denoising strength': strength,
    Job: jobId,
  }
  const line = Object.entries(facts)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
    .join(', ')
  const negative = negativePrompt ? [`Negative prompt: ${negativePrompt}`] : []
  return [prompt, ...negative, line].join('\n')
}

/** As text of an XML 1.0 document, which has no words for control characters or half characters. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
}
