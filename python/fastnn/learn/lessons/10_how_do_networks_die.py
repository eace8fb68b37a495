"""How do networks die? 12 minutes. After: 9."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="10. How do networks die?")


@app.cell
def setup():
    import fastnn
    import marimo as mo
    import numpy as np
    from fastnn.learn import lesson

    return fastnn, lesson, mo, np


@app.cell
def title(mo):
    mo.md("""
    # 10. How do networks die?

    In lesson 9 two hidden layers did better than one. So ten will do better still? Often they do
    not learn at all, and no error message says so: the loss just stays where it is. There are three
    ways for a network to die. Each leaves a trace that you can measure, and each has a cure.

    12 minutes. You need lesson 9: what a hidden unit is, and how gradients travel back.
    """)
    return


@app.cell
def data(fastnn, mo, np):
    from sklearn.datasets import load_digits

    pixels, digit = load_digits(return_X_y=True)
    x = pixels[:, pixels.std(axis=0) > 1] / 16

    def new_network(activation, size=1, last="softmax", loss="categorical_crossentropy"):
        """Return ten layers whose initial weights are `size` times the usual ones."""
        start = "he_normal" if activation == "relu" else "glorot_uniform"
        hidden = {"units": 64, "activation": activation, "kernel_initializer": start}
        layers = [fastnn.layers.Dense(**hidden) for _ in range(9)]
        layers.append(fastnn.layers.Dense(10, last, kernel_initializer=start))
        model = fastnn.Sequential(layers, input_shape=x.shape[1], dtype="float64", seed=0)
        model.set_weights([size * weight for weight in model.get_weights()])
        return model.compile("sgd", loss=loss)

    def ladder(gradients):
        """Return the norm of each layer's gradient, from the first layer to the last."""
        return np.array([np.linalg.norm(g) for name, g in gradients.items() if "kernel" in name])

    rungs = {word: ladder(new_network(word).gradients(x, digit)[1]) for word in ("sigmoid", "relu")}
    ratios = {word: found[0] / found[-1] for word, found in rungs.items()}
    mo.md(f"""
    ## Ten layers and a ladder

    {len(x):,} handwritten digits. Of the 64 pixels we keep the {x.shape[1]} that are not nearly
    always white, as amounts of ink from 0 to 1. The network has ten layers: nine hidden ones with
    64 units each, and an output with a softmax over the ten digits. Before the first step, we
    compute the gradient of the loss, and look at one number for each layer: the **norm** of the
    gradient of its weights, the root of the sum of squares. The ten numbers, one above the other,
    are the **gradient ladder**.

    A weight moves by rate times gradient. A rung that is a million times shorter than another is a
    layer that learns a million times more slowly.
    """)
    return digit, ladder, new_network, ratios, rungs, x


@app.cell
def question(mo):
    nothing = "Less than a ten-thousandth of it."
    prediction = mo.ui.radio(
        options=["About as large.", "About a tenth of it.", "About a hundredth of it.", nothing],
        label="**Predict first.** Ten layers with sigmoid as activation. How large is the gradient"
        " of the first layer, compared with that of the last?",
    )
    prediction
    return nothing, prediction


@app.cell
def controls(lesson, mo, prediction):
    lesson.predict_first(mo, prediction)
    bend = mo.ui.dropdown(["sigmoid", "tanh", "relu"], value="sigmoid", label="activation")
    _sizes = [0.25, 0.5, 1, 2, 3]
    size = mo.ui.slider(steps=_sizes, value=1, label="size of initial weights", show_value=True)
    _text = """
    ## Climb down

    Change the activation, then the size of the initial weights. Grey is relu at size 1, to compare
    with. Mind the scale: from one mark to the next it is a factor of 100. Look at the ratio of
    first to last, and also at where all ten are.
    """
    mo.vstack([mo.md(_text), mo.hstack([bend, size], justify="start", gap=2, wrap=True)])
    return bend, size


@app.cell
def picture_ladder(bend, digit, ladder, lesson, new_network, np, size, x):
    _rungs = ladder(new_network(bend.value, size.value).gradients(x, digit)[1])
    _healthy = ladder(new_network("relu").gradients(x, digit)[1])
    _layers = np.arange(1, 11)

    def _draw(ax):
        ax.barh(_layers, _healthy, height=0.8, left=1e-12, color=lesson.GREY, alpha=0.25)
        ax.barh(_layers, _rungs, height=0.45, left=1e-12, color=lesson.ORANGE)
        for layer, rung in zip(_layers, _rungs, strict=True):
            ax.text(rung * 1.6, layer, f"{rung:.1e}", va="center", fontsize=8)
        ax.set(xscale="log", xlim=(1e-11, 1e8), xticks=10.0 ** np.arange(-10, 9, 2))
        ax.set(yticks=_layers, ylim=(10.6, 0.4), ylabel="layer", xlabel="norm of the gradient")
        ax.set_title(f"First over last: {_rungs[0] / _rungs[-1]:.2g}")

    lesson.figure(
        _draw,
        alt=f"The norm of the gradient of each of the ten layers, a bar on a logarithmic scale. "
        f"{bend.value}, size {size.value}: first layer {_rungs[0]:.1e}, last {_rungs[-1]:.1e}.",
        size=(7, 3.4),
    )
    return


@app.cell
def answer(lesson, mo, nothing, prediction, ratios):
    lesson.reveal(
        mo,
        prediction,
        nothing,
        f"""It is {ratios["sigmoid"]:.0e} of it. On the way back each layer multiplies by its
        weights and by the slope of its activation (lesson 9). The slope of a sigmoid is at most
        1/4, and nine factors of less than 1/4 leave next to nothing. With relu the slope is 1 or 0,
        and the ratio is {ratios["relu"]:.2g}.""",
    )
    return


@app.cell
def training_controls(lesson, mo, prediction):
    lesson.predict_first(mo, prediction)
    _rates = [0.003, 0.01, 0.03, 0.1, 0.3]
    rate = mo.ui.slider(steps=_rates, value=0.03, label="rate", show_value=True)
    clip = mo.ui.switch(label="clip the norm of all gradients at 1")
    _text = """
    ## Death by vanishing, death by explosion

    Going back is multiplying, layer after layer. If the factor is a bit too small, ten layers make
    it nothing: the gradient **vanishes**. If it is a bit too large, ten layers make it huge: the
    gradient **explodes**. One cure is a factor of one, right from the start. **He's initial
    weights** have a variance of 2 / inputs: 1 / inputs keeps a sum as large as its terms, and the
    2 makes up for relu, which silences half of the units. **Glorot's** suit a slope of 1 at zero,
    as of tanh. A sigmoid's best slope is 1/4. Larger weights would make up for it, but they push
    the units to the flat ends, where the slope is 0.

    ## Watch it live, or not

    The same controls, for eight hidden layers that learn points of the plane. Press **Run**. Does
    sigmoid leave 0.693, the loss of a coin? Then relu at size 3, without clipping and with it.
    """
    mo.vstack([mo.md(_text), mo.hstack([rate, clip], justify="start", gap=2, wrap=True)])
    return clip, rate


@app.cell
def picture_view():
    from fastnn.learn.live import LiveView

    view = LiveView(
        {"data": "circles", "layers": [8] * 8, "optimizer": "sgd", "initializer": "glorot_uniform"},
        show=("boundary", "ladder"),
    )
    return (view,)


@app.cell
def picture_training(bend, clip, lesson, mo, prediction, rate, size, view):
    lesson.predict_first(mo, prediction)
    view.set(
        {
            "activations": [bend.value] * 8,
            "initializer": "he_normal" if bend.value == "relu" else "glorot_uniform",
            "initial_scale": size.value,
            "learning_rate": rate.value,
            "clip": "global_norm" if clip.value else "none",
        }
    )
    view
    return


@app.cell
def threefold(digit, ladder, mo, new_network, np, rungs, x):
    _tripled = new_network("relu", 3).gradients(x, digit)[1]
    all_norm = np.sqrt(sum(np.sum(gradient**2) for gradient in _tripled.values()))
    _evenly = {"last": None, "loss": "mean_absolute_error"}
    _one, _three = (
        ladder(new_network("relu", size, **_evenly).gradients(x, np.zeros((len(x), 10)))[1])
        for size in (1, 3)
    )
    growths = {"absolute": _three / _one, "softmax": ladder(_tripled) / rungs["relu"]}
    mo.md(f"""
    ## How large is an explosion?

    Make all ten weight matrices three times as large. The gradient of each layer contains the other
    **nine**, so it grows by 3⁹ = {3**9:,}. No layer is spared: *all* rungs grow, and the ratio of
    first to last tells nothing. Measured with a loss whose slope is the same everywhere (the mean
    absolute output), each grows by a factor of {growths["absolute"].mean():,.1f}. The loss of a
    classifier adds a factor of its own, for a network that is wrong is now very sure of it:
    {growths["softmax"].min():,.0f} to {growths["softmax"].max():,.0f}.

    ## In the library

    **Clipping**: if the norm of all gradients together is above c, multiply them by c / norm. The
    direction stays, the length becomes c. Here is one step with a rate of 1 from threefold weights,
    where that norm is {all_norm:,.0f}. Then we ask the library what ails the network.
    """)
    return (growths,)


@app.cell
def library(digit, fastnn, mo, new_network, np, x):
    patient = new_network("relu", size=3)
    rule = fastnn.optimizers.SGD(1.0, global_clipnorm=1.0)
    patient.compile(rule, loss="categorical_crossentropy")
    before = patient.get_weights()
    patient.train_steps(1, x, digit, batch_size=len(x))
    pairs = zip(patient.get_weights(), before, strict=True)
    length = np.linalg.norm([np.linalg.norm(new - old) for new, old in pairs])
    diagnosis = fastnn.diagnose(patient, x, digit)
    mo.show_code(f"length of the step: {length:.6f}", position="above")
    return diagnosis, length


@app.cell
def advice(diagnosis, mo):
    mo.md(f"> {diagnosis.findings[0].text} *{diagnosis.findings[0].remedy}*")
    return


@app.cell
def break_it(mo):
    fast = mo.ui.switch(label="a rate of 100")
    _text = """
    ## Break it: the third death

    One hidden layer of 64 relu units. There is nothing to vanish or to explode. Give it eight steps
    with a rate of 100.
    """
    mo.vstack([mo.md(_text), fast])
    return (fast,)


@app.cell
def killed(digit, fastnn, x):
    def life(rate, inputs):
        """Return shares of dead units after 8 steps and after 400 calm ones, and the accuracy."""
        hidden = fastnn.layers.Dense(64, "relu", kernel_initializer="he_normal")
        model = fastnn.Sequential([hidden, fastnn.layers.Dense(10, "softmax")], seed=0)
        shares = []
        for pace, steps in ((rate, 8), (0.1, 400)):
            rule = fastnn.optimizers.SGD(pace)
            model.compile(rule, "categorical_crossentropy", metrics=["accuracy"])
            model.train_steps(steps, inputs, digit, batch_size=100)
            shares.append(fastnn.diagnose(model, inputs, digit).layers[0].dead)
        return *shares, model.evaluate(inputs, digit)["accuracy"]

    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    lives = {"calm": life(0.1, x), "fast": life(100, x), "scaled": life(100, scaled)}
    return (lives,)


@app.cell
def what_broke(fast, lives, mo):
    mo.stop(not fast.value)
    mo.md(f"""
    **{lives["fast"][0]:.0%} of the units are dead**: they answer 0 to every digit. At a rate of 0.1
    it would have been {lives["calm"][0]:.0%}. The large steps threw the units so far that all
    digits lie on their silent side. There the slope is 0, so the gradient of their weights is 0, so
    they stay where they are: after 400 more steps at a rate of 0.1, {lives["fast"][1]:.0%} are
    still dead, and {lives["fast"][2]:.0%} of the digits are read right, instead of
    {lives["calm"][2]:.0%}. No error message said a word.

    **Cures:** a smaller rate from the start; `leaky_relu`, whose slope is never 0, so that units
    come back; scaled inputs. Ink is never negative, so a unit whose weights are all negative hears
    nothing. Give each pixel mean 0 and standard deviation 1, and the same steps kill
    {lives["scaled"][0]:.0%}.
    """)
    return


@app.cell
def dropout(digit, fastnn, mo, np, x):
    dropped = {p: fastnn.functional.dropout(x, p, seed=1) for p in (0.0, 0.2, 0.5, 1.0)}
    _dense = fastnn.layers.Dense
    _layers = [_dense(64, "relu"), fastnn.layers.Dropout(1.0), _dense(10, "softmax")]
    _model = fastnn.Sequential(_layers, input_shape=x.shape[1], seed=0)
    _model.compile("adam", loss="categorical_crossentropy")
    _before = _model.get_weights()
    _model.train_steps(50, x, digit)
    stirred = max(np.abs(_model.get_weights()[i] - _before[i]).max() for i in range(3))
    _rows = "\n    ".join(
        f"| {p} | {(d[x > 0] == 0).mean():.1%} | {d.mean():.4f} |" for p, d in dropped.items()
    )
    mo.md(f"""
    ## Killing on purpose

    **Dropout** silences each unit with a probability p, other units in each step, so that none can
    rely on a certain other one. It works against overfitting, and in training alone. The units that
    are left are multiplied by 1 / (1 - p): so the **mean** of what the next layer gets stays the
    same, and prediction needs no correction. With the ink of the digits as what is passed on:

    | p | silenced | mean |
    | --- | --- | --- |
    {_rows}

    p = 0 changes nothing. The library accepts p = 1, but it is no training at all: in 50 steps of
    Adam through such a layer, the weights before and behind it moved by {stirred:.0f}. Only the
    last bias learnt: how frequent each digit is.
    """)
    return dropped, stirred


@app.cell
def plain_python_title(mo):
    mo.md("## The same in plain Python\n\nForwards through ten layers, then back, as in lesson 9.")
    return


@app.cell
def plain_python(digit, mo, new_network, np, x):
    weights = new_network("sigmoid").get_weights()
    kernels, biases = weights[::2], weights[1::2]
    heard = [x]
    for kernel, bias in zip(kernels, biases, strict=True):
        z = heard[-1] @ kernel + bias
        heard.append(1 / (1 + np.exp(-z)))
    odds = np.exp(z)
    d = (odds / odds.sum(1, keepdims=True) - np.eye(10)[digit]) / len(x)
    by_hand = []
    for kernel, h in zip(kernels[::-1], heard[-2::-1], strict=True):
        by_hand.insert(0, np.linalg.norm(h.T @ d))
        d = d @ kernel.T * h * (1 - h)
    mo.show_code(f"first {by_hand[0]:.6e}, last {by_hand[-1]:.6e}", position="above")
    return (by_hand,)


@app.cell
def the_same(by_hand, mo, np, rungs):
    apart = np.max(np.abs(by_hand / rungs["sigmoid"] - 1))
    mo.md(f"""
    The library's rungs are {rungs["sigmoid"][0]:.6e} and {rungs["sigmoid"][-1]:.6e}; of the ten,
    the one furthest off yours differs by {apart:.0e} of itself. `h * (1 - h)` is the slope
    of the sigmoid, never above 1/4: in that one line the gradient dies.
    """)
    return (apart,)


@app.cell
def normalised(digit, fastnn, ladder, x):
    def batch_normalised(depth, size):
        """Return loss and ladder of so many layers with batch normalisation before each relu."""
        start = fastnn.initializers.RandomNormal(stddev=size * (2 / 64) ** 0.5)
        layers = []
        for _ in range(depth - 1):
            layers += [fastnn.layers.Dense(64, use_bias=False, kernel_initializer=start)]
            layers += [fastnn.layers.BatchNormalization(), fastnn.layers.Activation("relu")]
        last = fastnn.layers.Dense(10, "softmax")
        model = fastnn.Sequential([*layers, last], input_shape=x.shape[1], seed=0)
        loss, gradients = model.compile(loss="categorical_crossentropy").gradients(x, digit)
        return loss, ladder(gradients)

    losses = [batch_normalised(10, size)[0] for size in (1, 3)]
    _ladders = {n: batch_normalised(n, 1)[1] for n in (10, 30, 50)}
    deep_ratios = {n: found[0] / found[-1] for n, found in _ladders.items()}
    return deep_ratios, losses


@app.cell
def mistake(deep_ratios, digit, fastnn, losses, mo, new_network, np, ratios, x):
    _ill = new_network("sigmoid")
    _ill.compile(fastnn.optimizers.SGD(1.0, global_clipnorm=0.1), loss="categorical_crossentropy")
    _before = _ill.get_weights()
    _ill.train_steps(1, x, digit, batch_size=len(x))
    _after = _ill.get_weights()
    clipped = np.linalg.norm(_after[0] - _before[0]) / np.linalg.norm(_after[-2] - _before[-2])
    _rows = "\n    ".join(f"| {n} | {ratio:,.1f} |" for n, ratio in deep_ratios.items())
    mo.md(f"""
    ## Spot the mistakes

    > "Clip the gradients, and they neither explode nor vanish."

    Clipping bounds **large** gradients. It makes nothing larger. With ten sigmoid layers and a clip
    at 0.1, a step moves the first layer {clipped:.0e} times as far as the last. Without clipping
    that ratio was {ratios["sigmoid"]:.0e}.

    > "With batch normalisation gradients cannot explode."

    Batch normalisation gives the answers of each unit mean 0 and variance 1 over the batch. So the
    size of the weights no longer matters: the loss of ten layers starts at {losses[0]:.3f} with the
    usual weights and at {losses[1]:.3f} with threefold ones. It helps the conditioning, and larger
    rates work. But it is no guarantee:

    | layers, batch normalisation before relu | gradient of the first over the last |
    | --- | --- |
    {_rows}

    At the start, each such layer multiplies the gradient by about 1.2 on the way back (Yang and
    others, 2019), and 1.2⁵⁰ is 9,100. Shortcuts around the layers, as in a ResNet, cure that.
    """)
    return (clipped,)


@app.cell
def exercise_1(lesson, mo, np):
    exercise_1 = lesson.Exercise(
        "10.1",
        "All weights are 1 and every sigmoid is at its steepest. After how many layers, on the way"
        " back, is a gradient less than a thousandth of what it was?",
        answer=int(np.argmax(0.25 ** np.arange(20) < 1e-3)),
        hint="A sigmoid's steepest slope is 1/4. How often can you multiply by it?",
        why="0.25⁵ is 1 / 1,024. And that is the best case.",
    )
    answer_1 = exercise_1.ask(mo)
    answer_1
    return answer_1, exercise_1


@app.cell
def verdict_1(answer_1, exercise_1, mo):
    exercise_1.verdict(mo, answer_1.value)
    return


@app.cell
def exercise_2(fastnn, lesson, mo):
    _zero = {"kernel_initializer": "zeros", "use_bias": False}
    _model = fastnn.Sequential([fastnn.layers.Dense(1, **_zero)], input_shape=2)
    _model.compile(fastnn.optimizers.SGD(1.0, global_clipnorm=1.0), loss="mse")
    # the gradient at zero is -2 y x = (3, 4)
    _model.train_steps(1, [[1.5, 2.0]], [[-1.0]])
    exercise_2 = lesson.Exercise(
        "10.2",
        "Two weights have the gradients 3 and 4. The norm of all gradients is clipped at 1. What is"
        " the first gradient after that?",
        answer=-_model.get_weights()[0][0, 0].item(),
        tolerance=1e-3,
        hint="The norm of (3, 4) is 5. By what must both be divided?",
        why="(3, 4) / 5 = (0.6, 0.8): the same direction, with length 1.",
    )
    answer_2 = exercise_2.ask(mo)
    answer_2
    return answer_2, exercise_2


@app.cell
def verdict_2(answer_2, exercise_2, mo):
    exercise_2.verdict(mo, answer_2.value)
    return


@app.cell
def reading(mo):
    mo.md("""
    **Read on:** Glorot and Bengio, *Understanding the difficulty of training deep feedforward
    neural networks*, 2010. He and others, *Delving deep into rectifiers*, 2015. Yang and others, *A
    mean field theory of batch normalization*, 2019.
    """)
    return


@app.cell
def facts(
    apart, clipped, deep_ratios, dropped, growths, length, lesson, lives, np, ratios, stirred, x
):
    _grown = {kind: found / 3**9 for kind, found in growths.items()}
    _off = np.abs(_grown["absolute"] - 1).max()
    _kept = dropped[0.5].mean() / x.mean()
    facts = [
        lesson.Fact("sigmoid, first gradient over last", ratios["sigmoid"], "<", 1e-3),
        lesson.Fact("relu, He's weights, first over last", ratios["relu"], "in", (0.05, 20)),
        lesson.Fact("NumPy's ladder and the library's differ by the share", apart, "<", 1e-5),
        lesson.Fact("growth from threefold weights, over 3⁹, is 1 up to", _off, "<", 1e-6),
        lesson.Fact("with a softmax, at least", _grown["softmax"].min(), ">", 1),
        lesson.Fact("with a softmax, at most", _grown["softmax"].max(), "<", 10),
        lesson.Fact("length of a step clipped at 1", length, "<=", 1 + 1e-9),
        lesson.Fact("sigmoid, first step over last, clipped", clipped, "<", 1e-3),
        lesson.Fact("share of dead units after a rate of 100", lives["fast"][0], ">", 0.5),
        lesson.Fact("share of dead units after a rate of 0.1", lives["calm"][0], "<", 0.1),
        lesson.Fact("mean after dropout of one half, over before", _kept, "in", (0.99, 1.01)),
        lesson.Fact("dropout of 0 changes an answer by", np.abs(dropped[0] - x).max(), "==", 0),
        lesson.Fact("dropout of 1: weights around it move by", stirred, "==", 0),
        lesson.Fact("batch normalisation, 50 layers: first over last", deep_ratios[50], ">", 100),
    ]
    lesson.check(facts)
    return (facts,)


if __name__ == "__main__":
    app.run()
