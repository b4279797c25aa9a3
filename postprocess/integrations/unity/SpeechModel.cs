using System;
using System.Collections.Generic;
using Unity.InferenceEngine;

/// A streaming model: the next samples of a sound in, the frames that can be told by now out.
public sealed class SpeechModel : IDisposable
{
    const string Samples = "samples", Curves = "curves", Next = "next_";
    readonly Worker worker;
    readonly Dictionary<string, Tensor> states = new Dictionary<string, Tensor>();  // what a call hands to the next

    public SpeechModel(ModelAsset asset)
    {
        var model = ModelLoader.Load(asset);
        worker = new Worker(model, BackendType.CPU);  // small, and its frames are wanted here at once
        foreach (var input in model.inputs)
            if (input.name != Samples)
                states[input.name] = Zeros(input);
    }

    static Tensor Zeros(Model.Input input)
    {
        var shape = input.shape.ToTensorShape();
        if (input.dataType == DataType.Int)
            return new Tensor<int>(shape);
        return new Tensor<float>(shape);
    }

    /// Mono samples in [-1, 1] → a row of coefficients from 0 to 1 for each new frame, in the order of ModelFacts.channels.
    public float[] Push(float[] samples)
    {
        using (var given = new Tensor<float>(new TensorShape(samples.Length), samples))
        {
            worker.SetInput(Samples, given);
            foreach (var state in states)
                worker.SetInput(state.Key, state.Value);
            worker.Schedule();
            foreach (var name in new List<string>(states.Keys))
            {
                var next = worker.PeekOutput(Next + name).ReadbackAndClone();
                states[name].Dispose();
                states[name] = next;
            }
            return ((Tensor<float>)worker.PeekOutput(Curves)).DownloadToArray();
        }
    }

    public void Dispose()
    {
        foreach (var state in states.Values)
            state.Dispose();
        worker.Dispose();
    }
}
