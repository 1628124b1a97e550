package io.fairlora.ndarray;

/**
 * The scripted functions, in the language of {@code torch.jit.save}. In it 15 is bfloat16 and 6
 * single precision.
 */
final class KernelSource {

    static final String TEXT =
            """
            class Kernels(Module):
              __parameters__ = []
              __buffers__ = []
              training : bool
              def linear(self: __torch__.Kernels,
                x: Tensor,
                w: Tensor,
                b: Tensor) -> Tensor:
                y = torch.linear(torch.to(x, 15), torch.to(w, 15), torch.to(b, 15))
                return torch.to(y, 6)
              def linear_unbiased(self: __torch__.Kernels,
                x: Tensor,
                w: Tensor) -> Tensor:
                return torch.to(torch.linear(torch.to(x, 15), torch.to(w, 15)), 6)
            """;

    private KernelSource() {}
}
