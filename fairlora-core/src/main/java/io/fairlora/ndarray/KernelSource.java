package io.fairlora.ndarray;

/**
 * The scripted functions, in the language of {@code torch.jit.save}. In it 15 is bfloat16 and 6
 * single precision.
 *
 * <p>In the layers, frozen weights {@code w} and biases {@code b} arrive as bfloat16, everything
 * else as single precision. {@code a}, {@code c} are the factors A (r, in) and C (out, r) of a
 * low-rank term; rank 0 stands for none.
 */
final class KernelSource {

    static final String TEXT =
            """
            class Kernels(Module):
              __parameters__ = []
              __buffers__ = []
              training : bool
              def round(self: __torch__.Kernels,
                x: Tensor) -> Tensor:
                return torch.contiguous(torch.to(torch.detach(x), 15))
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
              def adapted(self: __torch__.Kernels,
                x: Tensor,
                w: Tensor,
                b: Tensor,
                a: Tensor,
                c: Tensor) -> Tensor:
                y = torch.linear(x, w, b)
                if torch.gt(torch.size(a, 0), 0):
                  low = torch.linear(x, torch.to(a, 15))
                  z = torch.add(y, torch.linear(low, torch.to(c, 15)))
                else:
                  z = y
                return z
              def linear_adapted(self: __torch__.Kernels,
                x: Tensor,
                w: Tensor,
                b: Tensor,
                a: Tensor,
                c: Tensor) -> Tensor:
                h = torch.to(x, 15)
                y = torch.to(torch.linear(h, w, b), 6)
                if torch.gt(torch.size(a, 0), 0):
                  low = torch.linear(h, torch.to(a, 15))
                  z = torch.add(y, torch.to(torch.linear(low, torch.to(c, 15)), 6))
                else:
                  z = y
                return z
              def heads(self: __torch__.Kernels,
                x: Tensor,
                count: Tensor) -> Tensor:
                B = torch.size(x, 0)
                N = torch.size(x, 1)
                H = torch.size(count, 0)
                return torch.transpose(torch.reshape(x, [B, N, H, -1]), 1, 2)
              def attention(self: __torch__.Kernels,
                x: Tensor,
                count: Tensor,
                first: Tensor,
                wq: Tensor,
                bq: Tensor,
                aq: Tensor,
                cq: Tensor,
                wk: Tensor,
                bk: Tensor,
                ak: Tensor,
                ck: Tensor,
                wv: Tensor,
                bv: Tensor,
                av: Tensor,
                cv: Tensor,
                wo: Tensor,
                bo: Tensor,
                ao: Tensor,
                co: Tensor) -> Tensor:
                h = torch.to(x, 15)
                if torch.gt(torch.size(first, 0), 0):
                  f = torch.slice(h, 1, 0, 1)
                else:
                  f = h
                q = (self).heads((self).adapted(f, wq, bq, aq, cq), count)
                k = (self).heads((self).adapted(h, wk, bk, ak, ck), count)
                v = (self).heads((self).adapted(h, wv, bv, av, cv), count)
                scale = torch.pow(torch.size(q, 3), -0.5)
                s = torch.matmul(torch.mul(q, scale), torch.transpose(k, 2, 3))
                m = torch.transpose(torch.matmul(torch.softmax(s, -1), v), 1, 2)
                B = torch.size(m, 0)
                N = torch.size(m, 1)
                y = (self).adapted(torch.reshape(m, [B, N, -1]), wo, bo, ao, co)
                return torch.to(y, 6)
              def mlp(self: __torch__.Kernels,
                x: Tensor,
                w1: Tensor,
                b1: Tensor,
                a1: Tensor,
                c1: Tensor,
                w2: Tensor,
                b2: Tensor,
                a2: Tensor,
                c2: Tensor) -> Tensor:
                h = torch.gelu((self).adapted(torch.to(x, 15), w1, b1, a1, c1))
                return torch.to((self).adapted(h, w2, b2, a2, c2), 6)
              def mlp_tanh(self: __torch__.Kernels,
                x: Tensor,
                w1: Tensor,
                b1: Tensor,
                a1: Tensor,
                c1: Tensor,
                w2: Tensor,
                b2: Tensor,
                a2: Tensor,
                c2: Tensor) -> Tensor:
                h = torch.gelu((self).adapted(torch.to(x, 15), w1, b1, a1, c1), approximate="tanh")
                return torch.to((self).adapted(h, w2, b2, a2, c2), 6)
              def svd(self: __torch__.Kernels,
                x: Tensor) -> List[Tensor]:
                u, s, v, = torch.linalg_svd(x, False)
                return [u, s, v]
              def qr(self: __torch__.Kernels,
                x: Tensor) -> List[Tensor]:
                q, r, = torch.linalg_qr(x)
                return [q, r]
            """;

    private KernelSource() {}
}
